// The CPU as a backend: operations run at once, on all threads.
#pragma once

#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/threads.h"

namespace kern {

/// When matrices are moved to private memory, which has large pages; quantized ones are interleaved by 16 rows.
enum class Repack {
  automatic, // where the weights leave room for everything else: like when_used, else never
  when_used, // before the first step of one token, or when steps have had so many that they outweigh it: a short
             // prompt is answered first
  at_once,   // when they are bound
  never,     // all weights stay in the file's layout, mapped
};

class CpuWeight;
class FirstRows;
struct MatrixRows;
class PanelArena;

/// Weights other than matrices stay mapped. Results are independent of layouts, of the
/// number of threads and of the instruction set.
class CpuBackend final : public Backend {
public:
  explicit CpuBackend(int threads, const CpuKernels& kernels = choose_cpu_kernels(), Repack repack = Repack::at_once);
  ~CpuBackend() override;

  std::string description() const override;
  int threads() const { return pool_.size(); }

  void expect_weights(std::span<const FormatBytes> weights) override;
  std::uint64_t free_memory() override;
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override;
  void upload(const void* host, void* to, std::size_t bytes) override;
  void read(const void* from, void* host, std::size_t bytes) override;
  std::unique_ptr<Weight> bind(const WeightSource& source, WeightUse use) override;
  MemoryUse weight_memory(const WeightSource& source, WeightUse use) const override;
  std::uint64_t workspace_bytes(const StepLimits& limits) const override;
  void reserve(const StepLimits& limits) override;

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

  /// Whether a weight goes to private memory. Floats lie there as in the file, but a core reads the small pages of a
  /// mapped file at two thirds of the rate: F16 7.3 tokens/s mapped, 11.2 moved.
  bool moves(WeightUse use) const;
  /// Bytes of a row there.
  std::size_t moved_row_bytes(Format format, std::int64_t columns) const;
  void move(CpuWeight& weight);
  /// Whether a weight that waits to be moved takes more room then. A product with its rows as they are has to work the
  /// same out, in the same time: IQ2_XXS, a prompt of 26 tokens 0.38 s and the move 0.35 s.
  bool is_spelt_out(const CpuWeight& weight) const;
  /// Moves a weight that waits for it, if this step is one for that. Returns where it is then, for so many tokens.
  MatrixRows settle(const Weight& weight, int tokens);

  /// What products share: x, and its norm where there is one, into `normed`.
  struct ProductInput {
    Rows x;
    const Weight* norm = nullptr;
    float epsilon = 0.0f;
    Rows normed;
  };
  /// Norm of the thread's rows of x, then their rounding for every kind of weight among the products.
  void prepare_rows(int thread, int threads, const ProductInput& input, std::span<const Product> products);
  /// How many threads are worth starting for these products.
  int threads_for(std::span<const Product> products, int tokens) const;
  /// Calls multiply(thread) on that many once the input is prepared.
  template <class Multiply>
  void run_products(int threads, const ProductInput& input, std::span<const Product> products, Multiply&& multiply);
  /// Calls work(row) for every row, on all threads.
  template <class Work> void each_row(int rows, Work&& work);
  void product_share(int thread, const Product& product, Rows x, Share rows, bool continues);
  void norm_rows(int thread, Rows x, const Weight& weight, float epsilon, Rows out);

  const CpuKernels& kernels_;
  const CacheLevel ahead_ = choose_read_ahead();
  ThreadPool pool_;
  Repack repack_;
  std::int64_t met_tokens_ = 0; // in all steps
  bool settles_ = false;        // whether the step at hand moves what it uses
  std::uint64_t expected_ = 0;  // bytes of weights announced
  std::shared_ptr<PanelArena> arena_;
  std::unique_ptr<Workspace> workspace_;
  std::shared_ptr<FirstRows> last_; // of the matrix used last by a step of one token
};

} // namespace kern
