// What a forward pass asks of a device.
//
// Operations are enqueued in order; none returns data to the host and none takes a position from it, so that a decode
// step can be captured once and replayed. The primitives are mandatory. Each fused operation has a default made of
// primitives and must equal it bit for bit: fusing saves passes over memory, never changes a result.
//
// Canonical arithmetic (the same for every backend that promises the CPU's bits):
//   quantized product   activations are rounded to int8 per block of 32 (256 where the weights' is 256): scale = max|x|
//   / 127,
//                       code = round_even(x * (127 / max|x|)). Per activation block of 32 s = 0; for each group of
//                       weights that share a scale, in k order: s = fma(float(exact integer sum), weight scale, s).
//                       Per activation block of 256, where the scales of groups are whole numbers times the block's:
//                       s = float(exact integer sum of group scale * weight code * activation code) * block scale.
//                       Formats with minimums then s = fma(-float(exact sum of minimum * block sum), scale of
//                       minimums, s); result = fma(s, activation scale, result).
//   float product       16 lanes strided along k, fma in k order, then the tree of `lane i + lane i+8, +4, +2, +1`.
//   attention           scores by fma over the head's dimensions in order; keys in chunks of 64 aligned to absolute
//                       positions, each reduced against its own maximum to (m, l, o); chunks merged left to right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/pages.h"
#include "kernels/sampling.h"
#include "quant/format_id.h"

namespace kern {

/// Rows of float activations in a backend's memory, contiguous.
struct Rows {
  float* data = nullptr; // [rows][columns]
  int rows = 0;
  int columns = 0;

  std::size_t elements() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); }
  /// The same memory with fewer rows.
  Rows first(int count) const { return {data, count, columns}; }
};

/// A tensor as a file holds it, row by row.
struct WeightSource {
  std::string_view name; // for messages
  Format format{};
  std::int64_t rows = 0;    // outputs
  std::int64_t columns = 0; // inputs
  std::span<const std::byte> bytes;
  bool droppable = false; // a mapped file: pages given back to the system are read again when touched
};

/// What a weight is for; decides its layout.
enum class WeightUse {
  matrix, // factor of a product: x [n][columns] -> [n][rows]
  table,  // rows are looked up by token
  vector, // norm weights, biases, factors: one row, kept as floats
};

/// A weight after bind(). Its layout is the backend's business and changes no bit of a result.
class Weight {
public:
  virtual ~Weight() = default;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  Format format{};
};

/// Backend memory, released with the object.
class Buffer {
public:
  virtual ~Buffer() = default;
  virtual std::byte* data() = 0;
  virtual std::size_t bytes() const = 0;
};

/// Weights of a format in a file.
struct FormatBytes {
  Format format;
  std::uint64_t bytes;
};

/// Bytes a thing takes: mapped ones can be dropped and read again by the system, private ones can't; those on a device
/// are no memory of the host's.
struct MemoryUse {
  std::uint64_t mapped_bytes = 0;
  std::uint64_t private_bytes = 0;
  std::uint64_t device_bytes = 0;

  std::uint64_t all() const { return mapped_bytes + private_bytes + device_bytes; }

  MemoryUse& operator+=(const MemoryUse& other) {
    mapped_bytes += other.mapped_bytes;
    private_bytes += other.private_bytes;
    device_bytes += other.device_bytes;
    return *this;
  }
};

/// Everything that differs from step to step, in the backend's memory. Page tables: entry
/// [group][sequence][position / 64] is a page id; entries of positions never written are not read.
struct StepInputs {
  bool prompt = false;                      // whether its tokens were given or generated
  int tokens = 0;                           // n, rows of this step
  int logits = 0;                           // rows whose logits are wanted
  int sequences = 0;                        // page tables a group
  int pages_per_sequence = 0;               // entries a page table
  const std::int32_t* token = nullptr;      // [n]
  const std::int32_t* position = nullptr;   // [n]
  const std::int32_t* sequence = nullptr;   // [n], 0 <= id < sequences
  const std::int32_t* logit_row = nullptr;  // [logits], 0 <= row < n
  const std::int32_t* page_table = nullptr; // [groups][sequences][pages_per_sequence]

  const std::int32_t* table(int group, int sequence_id) const {
    return page_table + (static_cast<std::ptrdiff_t>(group) * sequences + sequence_id) * pages_per_sequence;
  }
};

enum class Activation { silu };

/// How a rotation pairs the dimensions of a head: `adjacent` (2i, 2i+1), `halves` (i, i + dims/2).
enum class RopePairs { adjacent, halves };

/// Rotation of one layer kind. `frequencies` [dims/2] are radians a position, scaling applied; cosine and sine are
/// multiplied by `magnitude`.
struct Rope {
  RopePairs pairs = RopePairs::halves;
  int dims = 0; // rotated dimensions of a head, from the first
  float magnitude = 1.0f;
  const double* frequencies = nullptr; // [dims/2], in the backend's memory
};

/// One layer's cache in a pool of pages.
struct KvLayer {
  std::byte* pool = nullptr; // [pages] of view.page_bytes
  int group = 0;             // whose page tables
  KvView view;
};

struct AttentionShape {
  int heads = 0;
  int kv_heads = 0;
  int key_dim = 0;
  int value_dim = 0;
  int window = 0; // keys at distance < window are seen; 0: all before
  float scale = 1.0f;
};

/// Query/key norm of each head before rotation; null weights: none.
struct HeadNorm {
  const Weight* query = nullptr; // vector [head_dim]
  const Weight* key = nullptr;   // vector [head_dim]
  float epsilon = 0.0f;
};

/// The largest step a backend has to be ready for.
struct StepLimits {
  int tokens = 1;
  std::int64_t columns = 0; // inputs of the widest product
  int queries_per_key = 1;  // heads / kv_heads, the most of any layer
  int heads = 0;            // the most of any layer
  int key_dim = 0;          // the most of any layer
  int value_dim = 0;
  int pages = 0;      // of a page table
  int vocab_size = 0; // of the logits

  /// The larger of both in every respect.
  StepLimits most(const StepLimits& other) const;
};

/// The operations of a step as a backend keeps them to run again.
class RecordedStep {
public:
  virtual ~RecordedStep() = default;
  /// Kernels it launches.
  virtual int launches() const = 0;
};

/// One product of a group that shares its input: out = x * weight^T (+ bias).
struct Product {
  const Weight* weight = nullptr;
  const Weight* bias = nullptr; // vector or null
  Rows out;
};

class Backend {
public:
  virtual ~Backend() = default;

  /// One line: device, instruction set, threads.
  virtual std::string description() const = 0;

  // Memory and weights
  /// All weights that are about to be bound or planned here: what decides whether another layout fits.
  virtual void expect_weights(std::span<const FormatBytes> weights) { static_cast<void>(weights); }
  /// Whether its memory is another than the host's.
  virtual bool has_own_memory() const { return false; }
  /// Whether there are kernels for heads of these sizes.
  virtual bool attends(int key_dim, int value_dim) const {
    static_cast<void>(key_dim), static_cast<void>(value_dim);
    return true;
  }
  /// Bytes that could still be taken here.
  virtual std::uint64_t free_memory() = 0;
  /// Zero-filled, 64-byte aligned. Throws std::bad_alloc.
  virtual std::unique_ptr<Buffer> allocate(std::size_t bytes) = 0;
  virtual void upload(const void* host, void* to, std::size_t bytes) = 0;
  /// Waits for everything enqueued before, then copies to the host.
  virtual void read(const void* from, void* host, std::size_t bytes) = 0;
  /// Waits for everything enqueued before.
  virtual void finish() {}
  /// May keep the source's bytes, so they must outlive the weight.
  virtual std::unique_ptr<Weight> bind(const WeightSource& source, WeightUse use) = 0;
  /// What bind() would take. Doesn't read the source's bytes.
  virtual MemoryUse weight_memory(const WeightSource& source, WeightUse use) const = 0;
  /// Private bytes the backend takes for itself to run steps up to this size.
  virtual std::uint64_t workspace_bytes(const StepLimits& limits) const = 0;
  /// Takes that workspace (the most of all calls); no operation allocates after it.
  virtual void reserve(const StepLimits& limits) = 0;

  // Steps
  /// Called before the operations of every step.
  virtual void begin_step(const StepInputs& step) { static_cast<void>(step); }
  /// Records what `enqueue` enqueues instead of running it. Null, without a call, where a backend has no use for that.
  /// Sizes and addresses become part of the record; what lies in the backend's memory, positions among it, is read anew
  /// by every replay.
  virtual std::unique_ptr<RecordedStep> record(const std::function<void()>& enqueue) {
    static_cast<void>(enqueue);
    return nullptr;
  }
  /// False where the record no longer holds, because memory that it names has moved: it has to be made again.
  virtual bool replay(const RecordedStep& step) {
    static_cast<void>(step);
    return false;
  }

  /// What the host's sampler would draw from logits [vocab_size], once they are computed; nothing where this backend
  /// doesn't draw by such a chain, or a logit isn't finite: then the host has to look.
  virtual std::optional<std::int32_t> sample(const SamplingChain& chain, const float* logits, int vocab_size,
                                             std::uint64_t position) {
    static_cast<void>(chain), static_cast<void>(logits), static_cast<void>(vocab_size), static_cast<void>(position);
    return std::nullopt;
  }

  // Primitives
  /// out [n][columns of table] = rows of the table for the step's tokens, times scale
  virtual void embed(const Weight& table, const StepInputs& step, float scale, Rows out) = 0;
  /// out = x / sqrt(mean(x^2) + epsilon) * weight, along the last `columns of weight` entries: a row of x may hold
  /// several heads
  virtual void rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) = 0;
  /// out [n][rows of weight] = x [n][columns] * weight^T
  virtual void matmul(const Weight& weight, Rows x, Rows out) = 0;
  /// x += bias, to every row
  virtual void add_bias(const Weight& bias, Rows x) = 0;
  /// to += x
  virtual void add(Rows x, Rows to) = 0;
  /// gate = activation(gate) * up
  virtual void activate(Activation activation, Rows up, Rows gate) = 0;
  /// table [n][dims]: cosines of the dims/2 pairs, then sines, for the step's positions
  virtual void rope_table(const Rope& rope, const StepInputs& step, Rows table) = 0;
  /// Rotates every head of x [n][heads * head_dim] in place
  virtual void rotate(const Rope& rope, Rows table, int head_dim, Rows x) = 0;
  /// Writes k [n][kv_heads * key_dim] and v [n][kv_heads * value_dim] into the pages of the step's positions
  virtual void store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) = 0;
  /// out [n][heads * value_dim]; keys and values are read from the cache only, also those of this step
  virtual void attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q,
                         Rows out) = 0;
  /// out [logits][columns] = the rows of x whose logits are wanted
  virtual void gather(const StepInputs& step, Rows x, Rows out) = 0;

  // Fused operations, each equal to its default
  /// Norm, then products that share its result. `normed` [n][columns] is scratch.
  virtual void norm_products(Rows x, const Weight& norm, float epsilon, Rows normed, std::span<const Product> products);
  /// residual += x * weight^T (+ bias). `scratch` has the residual's shape.
  virtual void matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows scratch, Rows residual);
  /// q/k norm of each head, rotation (rope null: none), and storing of k and v. Changes q and k in place.
  virtual void norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                                 const StepInputs& step, Rows q, Rows k, Rows v);
  /// Norm, gate and up products, gate = activation(gate) * up. `normed` and `up` are scratch.
  virtual void norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed, Product gate,
                            Product up);
};

/// Copies rows between the memories of two backends (or within one). `staging` has room for them on the host.
void transfer(Backend& from, Rows source, Backend& to, Rows target, std::span<float> staging);

} // namespace kern
