// A backend that times every operation of another one.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/backend.h"
#include "kernels/work.h"

namespace kern {

/// One kind of operation of a forward pass, all its calls together.
struct ProfiledOperation {
  std::string name; // as in Backend, then the tensors it multiplies: "norm_products attn_q attn_k attn_v"
  std::uint64_t calls = 0;
  double seconds = 0.0;
  Work work;
};

/// Forwards everything, so that no result changes; weights and buffers are the other backend's own. Operations are
/// timed by the clock of the host, each to its end: on a GPU that adds the time of a launch to each.
class ProfiledBackend final : public Backend {
public:
  /// `backend` must outlive it.
  explicit ProfiledBackend(Backend& backend) : backend_(backend) {}

  /// Forgets what was recorded and records from here on.
  void start();
  /// Ends recording. What was recorded, in the order of the first calls.
  std::vector<ProfiledOperation> stop();

  std::string description() const override { return backend_.description(); }
  void expect_weights(std::span<const FormatBytes> weights) override { backend_.expect_weights(weights); }
  std::uint64_t free_memory() override { return backend_.free_memory(); }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override { return backend_.allocate(bytes); }
  void upload(const void* host, void* to, std::size_t bytes) override { backend_.upload(host, to, bytes); }
  void read(const void* from, void* host, std::size_t bytes) override { backend_.read(from, host, bytes); }
  void finish() override { backend_.finish(); }
  std::unique_ptr<Weight> bind(const WeightSource& source, WeightUse use) override;
  MemoryUse weight_memory(const WeightSource& source, WeightUse use) const override {
    return backend_.weight_memory(source, use);
  }
  std::uint64_t workspace_bytes(const StepLimits& limits) const override { return backend_.workspace_bytes(limits); }
  void reserve(const StepLimits& limits) override { backend_.reserve(limits); }

  void begin_step(const StepInputs& step) override { backend_.begin_step(step); }

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
  template <class Run> void time(const char* operation, const Work& work, Run&& run);
  template <class Run>
  void time_products(const char* operation, std::span<const Product> products, int tokens, Run&& run);
  template <class Run> void record(const std::string& name, const Work& work, Run&& run);
  Work step_attention_work(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step);

  Backend& backend_;
  bool recording_ = false;
  std::unordered_map<const Weight*, std::string> names_; // of matrices, without their layer
  std::vector<ProfiledOperation> operations_;
};

} // namespace kern
