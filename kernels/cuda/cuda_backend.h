// An NVIDIA GPU as a backend. Operations are enqueued on one stream.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "kernels/backend.h"
#include "kernels/cuda/activations.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/staging.h"

namespace kern {

class DeviceArena;

/// Results have the bits of the CPU backend, but for products of prompt tokens with F16 and BF16 weights, which use
/// tensor cores unless `exact`: then they are the CPU's too.
class CudaBackend final : public Backend {
public:
  CudaBackend(std::unique_ptr<cuda::Device> device, bool exact);
  ~CudaBackend() override;

  std::string description() const override;
  cuda::Device& device() { return *device_; }
  void expect_weights(std::span<const FormatBytes> weights) override {
    expected_ = 0;
    for (const FormatBytes& part : weights) expected_ += part.bytes;
  }
  bool attends(int key_dim, int value_dim) const override {
    return key_dim % 2 == 0 && key_dim <= 256 && value_dim % 2 == 0 && value_dim <= 256;
  }
  bool has_own_memory() const override { return true; }
  std::uint64_t free_memory() override { return device_->free_bytes(); }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override;
  void upload(const void* host, void* to, std::size_t bytes) override;
  void read(const void* from, void* host, std::size_t bytes) override;
  void finish() override { device_->synchronize(); }
  std::unique_ptr<Weight> bind(const WeightSource& source, WeightUse use) override;
  MemoryUse weight_memory(const WeightSource& source, WeightUse use) const override;
  std::uint64_t workspace_bytes(const StepLimits& limits) const override;
  void reserve(const StepLimits& limits) override;

  void begin_step(const StepInputs& step) override { prompt_ = step.prompt; }
  std::unique_ptr<RecordedStep> record(const std::function<void()>& enqueue) override;
  bool replay(const RecordedStep& step) override;

  std::optional<std::int32_t> sample(const SamplingChain& chain, const float* logits, int vocab_size,
                                     std::uint64_t position) override;

  void embed(const Weight& table, const StepInputs& step, float scale, Rows out) override;
  void rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) override;
  void matmul(const Weight& weight, Rows x, Rows out) override;
  void add_bias(const Weight& bias, Rows x) override;
  void add(Rows x, Rows to) override;
  void activate(Activation activation, Rows up, Rows gate) override;
  void rope_table(const Rope& rope, const StepInputs& step, Rows table) override;
  void rotate(const Rope& rope, Rows table, int head_dim, Rows x) override;
  void store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) override;
  void attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q, Rows out) override;
  void gather(const StepInputs& step, Rows x, Rows out) override;

  void norm_products(Rows x, const Weight& norm, float epsilon, Rows normed,
                     std::span<const Product> products) override;
  void matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows scratch, Rows residual) override;
  void norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                         const StepInputs& step, Rows q, Rows k, Rows v) override;
  void norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed, Product gate,
                    Product up) override;

private:
  struct Workspace;
  struct Placed;
  /// Rounded activations of many tokens, where a product needs them.
  struct Rounded {
    cuda::RoundedRows by32, by256;
    bool any() const { return by32.rounding || by256.rounding; }
  };
  /// What products share, in the forms that their kernels take.
  struct Input {
    Rows x;
    Rounded rounded;
    cuda::VectorInput vector;
  };

  /// Memory that lives as long as `owner`. Throws cuda::DeviceMemoryError.
  std::byte* take_memory(std::size_t bytes, std::shared_ptr<DeviceArena>& owner);
  void upload_matrix(const WeightSource& source, std::byte* to);

  /// Whether products with a format are in the canonical arithmetic, for the step at hand.
  bool is_exact(Format format) const;
  /// Rows of the workspace for what these products need of x.
  Rounded rounded_rows(std::span<const Product> products, Rows x) const;
  Input plain_input(std::span<const Product> products, Rows x);
  Input normed_input(std::span<const Product> products, Rows x, const Weight& norm, float epsilon, Rows normed);
  /// Neighbours of one format in one launch.
  void run_products(std::span<const Product> products, const Input& input, cuda::Epilogue epilogue);
  void run_parts(std::span<const cuda::ProductPart> parts, const Input& input, cuda::Epilogue epilogue);

  std::unique_ptr<cuda::Device> device_;
  cuda::Staging staging_;
  bool exact_;
  bool prompt_ = false; // of the step at hand
  std::uint64_t expected_ = 0;
  std::shared_ptr<DeviceArena> arena_;
  std::unordered_map<const std::byte*, std::weak_ptr<Placed>> placed_; // matrices by where their file has them
  std::unique_ptr<Workspace> workspace_;
  std::uint64_t workspaces_ = 0; // made so far: records name the memory of one
};

} // namespace kern
