#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "kernels/cpu/cpu_buffer.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/row_queue.h"
#include "kernels/cpu/workspace.h"
#include "kernels/math.h"
#include "quant/formats.h"

namespace kern {

/// One run of memory for the panels of many weights. Only what is taken becomes resident.
class PanelArena {
public:
  explicit PanelArena(std::size_t bytes) : memory_(bytes), next_(memory_.data()) {}
  std::size_t left() { return static_cast<std::size_t>(memory_.data() + memory_.bytes() - next_); }
  std::byte* take(std::size_t bytes) { return std::exchange(next_, next_ + bytes); }

private:
  CpuBuffer memory_;
  std::byte* next_;
};

class CpuWeight final : public Weight {
public:
  const std::byte* data = nullptr; // [rows] of row_bytes; vectors: floats
  std::size_t row_bytes = 0;
  int activation_block = 0;    // how its activations are rounded: see activation_block()
  bool interleaved = false;    // panels of 16 rows in the arena
  std::byte* target = nullptr; // its place in the arena, while it still waits to be moved there
  std::span<const std::byte> source;
  bool droppable = false;
  std::vector<float> floats; // owned by vectors
  std::shared_ptr<PanelArena> arena;
  /// Where the matrix begins that was used after this one, by a step of one token before: what waiting threads fetch.
  std::shared_ptr<FirstRows> next = std::make_shared<FirstRows>();

  const float* vector() const { return reinterpret_cast<const float*>(data); }
};

namespace {

std::int64_t panels_of(std::int64_t rows) { return (rows + panel_rows - 1) / panel_rows; }

const CpuWeight& cpu(const Weight& weight) { return static_cast<const CpuWeight&>(weight); }

/// Activations are rounded in blocks of 32, or of 256 for formats with blocks of 256; float formats take them as they
/// are.
int activation_block(Format format) {
  const FormatInfo info = find_format(format).value();
  return info.is_float ? 0 : (info.width == 256 ? 256 : 32);
}

/// Float products take activations arranged where there are many.
bool arranges(const Weight& weight, int tokens) {
  return tokens > float_direct_tokens && cpu(weight).activation_block == 0;
}

} // namespace

CpuBackend::CpuBackend(int threads, const CpuKernels& kernels, Repack repack)
    : kernels_(kernels), pool_(threads), repack_(repack) {}
CpuBackend::~CpuBackend() = default;

std::size_t CpuBackend::moved_row_bytes(Format format, std::int64_t columns) const {
  const std::size_t interleaved = kernels_.interleaved_row_bytes(format, columns);
  return interleaved ? interleaved : row_bytes(format, static_cast<std::size_t>(columns));
}

void CpuBackend::expect_weights(std::span<const FormatBytes> weights) {
  std::uint64_t bytes = 0;
  for (const FormatBytes& part : weights) {
    const FormatInfo info = find_format(part.format).value();
    bytes += part.bytes / static_cast<std::uint64_t>(info.block_bytes) * moved_row_bytes(part.format, info.width);
  }
  // A fifth is left to the cache, the scratch and everybody else.
  if (repack_ == Repack::automatic) repack_ = bytes <= available_memory() / 5 * 4 ? Repack::when_used : Repack::never;
  expected_ = bytes + bytes / 64; // some more: rows are filled up to panels
  arena_ = nullptr;
}

bool CpuBackend::moves(WeightUse use) const {
  return use == WeightUse::matrix && (repack_ == Repack::at_once || repack_ == Repack::when_used);
}

std::string CpuBackend::description() const {
  return fmt::format("CPU, {}, {} thread{}", kernels_.name, pool_.size(), pool_.size() == 1 ? "" : "s");
}

std::uint64_t CpuBackend::free_memory() { return available_memory(); }

std::unique_ptr<Buffer> CpuBackend::allocate(std::size_t bytes) { return std::make_unique<CpuBuffer>(bytes); }
void CpuBackend::upload(const void* host, void* to, std::size_t bytes) {
  if (bytes) std::memcpy(to, host, bytes);
}
void CpuBackend::read(const void* from, void* host, std::size_t bytes) {
  if (bytes) std::memcpy(host, from, bytes);
}

std::unique_ptr<Weight> CpuBackend::bind(const WeightSource& source, WeightUse use) {
  auto weight = std::make_unique<CpuWeight>();
  weight->rows = source.rows;
  weight->columns = source.columns;
  weight->format = source.format;
  weight->row_bytes = row_bytes(source.format, static_cast<std::size_t>(source.columns));
  weight->data = source.bytes.data();
  weight->activation_block = activation_block(source.format);
  if (use == WeightUse::vector) {
    weight->floats.resize(static_cast<std::size_t>(source.columns));
    kernels_.decode_row(source.format, source.bytes.data(), static_cast<int>(source.columns), 1.0f,
                        weight->floats.data());
    weight->data = reinterpret_cast<const std::byte*>(weight->floats.data());
  } else if (moves(use)) {
    weight->source = source.bytes;
    weight->droppable = source.droppable;
    const std::size_t bytes =
        static_cast<std::size_t>(panels_of(source.rows)) * panel_rows * moved_row_bytes(source.format, source.columns);
    if (!arena_ || arena_->left() < align_up(bytes)) {
      arena_ = std::make_shared<PanelArena>(std::max<std::size_t>(align_up(bytes), expected_));
      expected_ = 0; // what doesn't fit after that gets its own
    }
    weight->target = arena_->take(align_up(bytes));
    weight->arena = arena_;
    if (repack_ == Repack::at_once) move(*weight);
  }
  return weight;
}

namespace {

/// How many rows of a matrix are multiplied before what follows the product, so that their results are still in the
/// second-level cache then: 128 KB of 512 tokens. All of a share where every part would prepare activations anew.
std::int64_t rows_at_once(const Weight& weight, int tokens) {
  const bool prepares_once = cpu(weight).activation_block && tokens <= product_tokens(weight.columns);
  return prepares_once ? 64 : weight.rows;
}

} // namespace

bool CpuBackend::is_spelt_out(const CpuWeight& weight) const {
  return moved_row_bytes(weight.format, weight.columns) > weight.row_bytes;
}

MatrixRows CpuBackend::settle(const Weight& weight, int tokens) {
  // Layout is the backend's business and changes no result: to everybody else the weight stays the same.
  auto& waiting = const_cast<CpuWeight&>(cpu(weight));
  if (waiting.target && (settles_ || is_spelt_out(waiting))) move(waiting);
  return {waiting.data, waiting.row_bytes, waiting.rows, rows_at_once(weight, tokens)};
}

void CpuBackend::move(CpuWeight& weight) {
  const std::int64_t panels = panels_of(weight.rows);
  const std::size_t to_row_bytes = moved_row_bytes(weight.format, weight.columns);
  weight.interleaved = kernels_.interleaved_row_bytes(weight.format, weight.columns) != 0;
  pool_.run([&](int thread) {
    const Share share = share_of(panels, thread, pool_.size());
    for (std::int64_t p = share.begin; p < share.end; ++p) {
      const auto count = static_cast<int>(std::min<std::int64_t>(panel_rows, weight.rows - p * panel_rows));
      const std::size_t rows = static_cast<std::size_t>(p) * panel_rows;
      const std::byte* from = weight.source.data() + rows * weight.row_bytes;
      std::byte* to = weight.target + rows * to_row_bytes;
      if (weight.interleaved)
        kernels_.interleave(weight.format, from, weight.row_bytes, count, static_cast<int>(weight.columns), to);
      else std::memcpy(to, from, static_cast<std::size_t>(count) * weight.row_bytes);
    }
  });
  weight.row_bytes = to_row_bytes;
  weight.data = std::exchange(weight.target, nullptr);
  if (weight.droppable) drop_pages(weight.source);
}

MemoryUse CpuBackend::weight_memory(const WeightSource& source, WeightUse use) const {
  const std::size_t bytes_of_row = row_bytes(source.format, static_cast<std::size_t>(source.columns));
  MemoryUse memory;
  if (use == WeightUse::vector) memory.private_bytes = static_cast<std::uint64_t>(source.columns) * sizeof(float);
  else if (moves(use))
    memory.private_bytes = static_cast<std::uint64_t>(panels_of(source.rows)) * panel_rows *
                           moved_row_bytes(source.format, source.columns);
  else memory.mapped_bytes = static_cast<std::uint64_t>(source.rows) * bytes_of_row;
  return memory;
}

std::uint64_t CpuBackend::workspace_bytes(const StepLimits& limits) const {
  return activation_bytes(limits) + thread_scratch_bytes(limits) * static_cast<std::size_t>(pool_.size());
}

void CpuBackend::reserve(const StepLimits& limits) {
  const StepLimits most = workspace_ ? limits.most(workspace_->limits) : limits;
  workspace_ = std::make_unique<Workspace>(most, pool_.size());
}

template <class Work> void CpuBackend::each_row(int rows, Work&& work) {
  if (rows == 1) return work(0); // not worth starting the others
  pool_.run([&](int thread) {
    const Share share = share_of(rows, thread, pool_.size());
    for (std::int64_t t = share.begin; t < share.end; ++t) work(t);
  });
}

void CpuBackend::embed(const Weight& table, const StepInputs& step, float scale, Rows out) {
  const CpuWeight& weight = cpu(table);
  constexpr int many = 256; // tokens whose products take several times as long as interleaving
  met_tokens_ += step.tokens;
  settles_ = step.tokens == 1 || met_tokens_ >= many;
  each_row(step.tokens, [&](std::int64_t t) {
    kernels_.decode_row(weight.format, weight.data + static_cast<std::size_t>(step.token[t]) * weight.row_bytes,
                        out.columns, scale, out.data + t * out.columns);
  });
}

void CpuBackend::norm_rows(int thread, Rows x, const Weight& weight, float epsilon, Rows out) {
  const int columns = static_cast<int>(weight.columns);
  const int heads = x.columns / columns;
  const Share rows = share_of(static_cast<std::int64_t>(x.rows) * heads, thread, pool_.size());
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    kernels_.rms_norm(x.data + r * columns, cpu(weight).vector(), epsilon, columns, out.data + r * columns);
}

void CpuBackend::rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) {
  pool_.run([&](int thread) { norm_rows(thread, x, weight, epsilon, out); });
}

void CpuBackend::prepare_rows(int thread, int threads, const ProductInput& input, std::span<const Product> products) {
  const auto& [x, norm, epsilon, normed] = input;
  bool kinds[2] = {};
  for (const Product& product : products)
    if (const int block = cpu(*product.weight).activation_block) kinds[block == 256] = true;
  const bool arranged =
      std::ranges::any_of(products, [&](const Product& product) { return arranges(*product.weight, input.x.rows); });
  const int unit = arranged ? arranged_unit : 1;
  const Share rows = share_of(x.rows, thread, threads, unit);
  for (std::int64_t begin = rows.begin; begin < rows.end; begin += unit) {
    const std::int64_t end = std::min(begin + unit, rows.end);
    for (std::int64_t t = begin; t < end; ++t) {
      const float* row = x.data + t * x.columns;
      if (norm) {
        kernels_.rms_norm(row, cpu(*norm).vector(), epsilon, x.columns, normed.data + t * x.columns);
        row = normed.data + t * x.columns;
      }
      for (int kind = 0; kind < 2; ++kind)
        if (kinds[kind])
          kernels_.quantize(row, x.columns, static_cast<int>(t),
                            workspace_->quantized(kind ? 256 : 32, x.rows, x.columns));
    }
    if (arranged)
      kernels_.arrange(norm ? normed.data : x.data, x.columns, static_cast<int>(begin), static_cast<int>(end),
                       workspace_->arranged());
  }
}

namespace {

/// A thread's part of `scratch` [tokens][columns] as [tokens][columns of a part], so that it stays in the cache; all of
/// it where that doesn't fit. Element [t][row] is that of row `rows.begin` and on.
Rows scratch_of_rows(Rows scratch, const RowQueue& queue, Share rows, int thread, int threads) {
  const std::int64_t columns = queue.at_once();
  if (columns * threads > scratch.columns) return scratch;
  float* data = scratch.data + static_cast<std::ptrdiff_t>(thread) * scratch.rows * columns;
  return {data - rows.begin, scratch.rows, static_cast<int>(columns)};
}

} // namespace

void CpuBackend::product_share(int thread, const Product& product, Rows x, Share rows, bool continues) {
  const CpuWeight& weight = cpu(*product.weight);
  ProductShare share;
  share.weights = weight.data;
  share.row_bytes = weight.row_bytes;
  share.interleaved = weight.interleaved;
  share.columns = x.columns;
  share.row_begin = rows.begin;
  share.row_end = rows.end;
  share.ahead = ahead_;
  share.tokens = x.rows;
  share.x = arranges(weight, x.rows) ? workspace_->arranged() : x.data;
  if (const int block = weight.activation_block) share.quantized = workspace_->quantized(block, x.rows, x.columns);
  share.out = product.out.data;
  share.out_stride = product.out.columns;
  share.scratch = workspace_->thread_scratch(thread);
  share.continues = continues;
  kernels_.product(weight.format, share);
  if (!product.bias) return;
  const float* bias = cpu(*product.bias).vector();
  for (int t = 0; t < x.rows; ++t)
    for (std::int64_t r = rows.begin; r < rows.end; ++r) product.out.data[t * share.out_stride + r] += bias[r];
}

int CpuBackend::threads_for(std::span<const Product> products, int tokens) const {
  // About what one thread reads from its cache in the time that it takes to start and to join the others.
  constexpr std::size_t small = std::size_t{96} << 10;
  std::size_t bytes = 0;
  for (const Product& product : products)
    bytes += static_cast<std::size_t>(product.weight->rows) * cpu(*product.weight).row_bytes;
  return bytes * static_cast<std::size_t>(tokens) <= small ? 1 : pool_.size();
}

template <class Multiply>
void CpuBackend::run_products(int threads, const ProductInput& input, std::span<const Product> products,
                              Multiply&& multiply) {
  FirstRows next;
  if (input.x.rows == 1) {
    const CpuWeight& weight = cpu(*products.front().weight);
    if (last_) *last_ = FirstRows({weight.data, weight.row_bytes, weight.rows}, threads);
    last_ = weight.next;
    next = *last_;
  }
  // One row is prepared before the others start, instead of a barrier after that.
  const bool apart = threads > 1 && input.x.rows > 1;
  if (!apart) prepare_rows(0, 1, input, products);
  const auto work = [&](int thread) {
    if (apart) {
      prepare_rows(thread, threads, input, products);
      pool_.barrier(thread);
    }
    multiply(thread);
    pool_.read_ahead(thread, next.of(thread));
  };
  if (threads > 1) pool_.run(work);
  else work(0);
}

void CpuBackend::matmul(const Weight& weight, Rows x, Rows out) {
  const Product product{&weight, nullptr, out};
  const int threads = threads_for({&product, 1}, x.rows);
  RowQueue queue(settle(weight, x.rows), x.rows, threads);
  run_products(threads, {x, nullptr, 0.0f, {}}, {&product, 1}, [&](int thread) {
    queue.drain(thread, [&](Share rows, bool continues) { product_share(thread, product, x, rows, continues); });
  });
}

namespace {

/// Whether some of the products want activations rounded and others want them arranged.
bool mixes(std::span<const Product> products, int tokens) {
  const auto count =
      std::ranges::count_if(products, [&](const Product& product) { return arranges(*product.weight, tokens); });
  return count > 0 && static_cast<std::size_t>(count) < products.size();
}

} // namespace

void CpuBackend::norm_products(Rows x, const Weight& norm, float epsilon, Rows normed,
                               std::span<const Product> products) {
  constexpr std::size_t most = 4;
  if (products.size() > most || mixes(products, x.rows))
    return Backend::norm_products(x, norm, epsilon, normed, products);
  const int threads = threads_for(products, x.rows);
  std::array<std::optional<RowQueue>, most> queues;
  for (std::size_t i = 0; i < products.size(); ++i)
    queues[i].emplace(settle(*products[i].weight, x.rows), x.rows, threads);
  run_products(threads, {x, &norm, epsilon, normed}, products, [&](int thread) {
    for (std::size_t i = 0; i < products.size(); ++i)
      queues[i]->drain(
          thread, [&](Share rows, bool continues) { product_share(thread, products[i], normed, rows, continues); });
  });
}

void CpuBackend::norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed,
                              Product gate, Product up) {
  const Product products[] = {gate, up};
  if (mixes(products, x.rows)) return Backend::norm_gate_up(x, norm, epsilon, activation, normed, gate, up);
  // Both matrices have the same rows, so the rows of one meet those of the other.
  settle(*up.weight, x.rows);
  const int threads = threads_for(products, x.rows);
  RowQueue queue(settle(*gate.weight, x.rows), x.rows, threads);
  const bool alike =
      gate.weight->format == up.weight->format && cpu(*gate.weight).interleaved == cpu(*up.weight).interleaved;
  run_products(threads, {x, &norm, epsilon, normed}, products, [&](int thread) {
    queue.drain(thread, [&](Share rows, bool continues) {
      Product part = up;
      part.out = scratch_of_rows(up.out, queue, rows, thread, pool_.size());
      product_share(thread, gate, normed, rows, continues && alike);
      product_share(thread, part, normed, rows, alike);
      for (std::int64_t t = 0; t < x.rows; ++t)
        kernels_.activate(part.out.data + t * part.out.columns + rows.begin,
                          gate.out.data + t * gate.out.columns + rows.begin, rows.end - rows.begin);
    });
  });
}

void CpuBackend::matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows scratch, Rows residual) {
  const Product product{&weight, bias, scratch};
  const int threads = threads_for({&product, 1}, x.rows);
  RowQueue queue(settle(weight, x.rows), x.rows, threads);
  run_products(threads, {x, nullptr, 0.0f, {}}, {&product, 1}, [&](int thread) {
    queue.drain(thread, [&](Share rows, bool continues) {
      const Product part{&weight, bias, scratch_of_rows(scratch, queue, rows, thread, pool_.size())};
      product_share(thread, part, x, rows, continues);
      for (std::int64_t t = 0; t < x.rows; ++t)
        for (std::int64_t r = rows.begin; r < rows.end; ++r)
          residual.data[t * residual.columns + r] += part.out.data[t * part.out.columns + r];
    });
  });
}

void CpuBackend::add_bias(const Weight& bias, Rows x) {
  const float* values = cpu(bias).vector();
  pool_.run([&](int thread) {
    const Share rows = share_of(x.rows, thread, pool_.size());
    for (std::int64_t t = rows.begin; t < rows.end; ++t)
      for (int i = 0; i < x.columns; ++i) x.data[t * x.columns + i] += values[i];
  });
}

void CpuBackend::add(Rows x, Rows to) {
  pool_.run([&](int thread) {
    const Share share = share_of(static_cast<std::int64_t>(x.elements()), thread, pool_.size(), 16);
    for (std::int64_t i = share.begin; i < share.end; ++i) to.data[i] += x.data[i];
  });
}

void CpuBackend::activate(Activation, Rows up, Rows gate) {
  pool_.run([&](int thread) {
    const Share share = share_of(static_cast<std::int64_t>(up.elements()), thread, pool_.size(), 16);
    kernels_.activate(up.data + share.begin, gate.data + share.begin, share.end - share.begin);
  });
}

void CpuBackend::rope_table(const Rope& rope, const StepInputs& step, Rows table) {
  const int half = rope.dims / 2;
  each_row(step.tokens, [&](std::int64_t t) {
    float* cosines = table.data + t * table.columns;
    for (int i = 0; i < half; ++i) {
      sincos_f64(step.position[t] * rope.frequencies[i], cosines + half + i, cosines + i);
      cosines[i] *= rope.magnitude;
      cosines[half + i] *= rope.magnitude;
    }
  });
}

void CpuBackend::rotate(const Rope& rope, Rows table, int head_dim, Rows x) {
  each_row(x.rows, [&](std::int64_t t) {
    kernels_.rotate(rope.pairs, rope.dims, table.data + t * table.columns, x.columns / head_dim, head_dim,
                    x.data + t * x.columns);
  });
}

namespace {

/// KV heads [first, first + count) of one row.
struct RowHeads {
  std::int64_t row;
  int first;
  int count;
};

/// Calls work(heads) for a thread's share of all KV heads of n rows: a decode step has but one row.
template <class Work> void each_row_heads(int rows, int kv_heads, int thread, int threads, Work&& work) {
  const Share share = share_of(static_cast<std::int64_t>(rows) * kv_heads, thread, threads);
  for (std::int64_t at = share.begin; at < share.end;) {
    const auto first = static_cast<int>(at % kv_heads);
    const auto count = static_cast<int>(std::min<std::int64_t>(kv_heads - first, share.end - at));
    work(RowHeads{at / kv_heads, first, count});
    at += count;
  }
}

/// Keys and values of one row's heads into the page of its position.
void store_heads(const CpuKernels& kernels, const KvLayer& cache, const StepInputs& step, const RowHeads& heads, Rows k,
                 Rows v) {
  const KvShape& shape = cache.view.shape;
  const int position = step.position[heads.row];
  const std::int32_t page = step.table(cache.group, step.sequence[heads.row])[page_of(position)];
  kernels.store_kv(cache.view.heads(heads.first, heads.count),
                   cache.pool + static_cast<std::size_t>(page) * cache.view.page_bytes, slot_of(position),
                   k.data + heads.row * k.columns + heads.first * shape.key_dim,
                   v.data + heads.row * v.columns + heads.first * shape.value_dim);
}

} // namespace

void CpuBackend::store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) {
  pool_.run([&](int thread) {
    each_row_heads(k.rows, cache.view.shape.heads, thread, pool_.size(),
                   [&](const RowHeads& heads) { store_heads(kernels_, cache, step, heads, k, v); });
  });
}

void CpuBackend::norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                                   const StepInputs& step, Rows q, Rows k, Rows v) {
  const int head_dim = cache.view.shape.key_dim;
  const int kv_heads = cache.view.shape.heads;
  const auto prepare = [&](const Weight* weight, Rows x, const RowHeads& heads) {
    const int group = x.columns / head_dim / kv_heads; // of its heads that belong to a KV head
    const int count = heads.count * group;
    float* begin = x.data + heads.row * x.columns + heads.first * group * head_dim;
    if (weight)
      for (float* head = begin; head < begin + count * head_dim; head += head_dim)
        kernels_.rms_norm(head, cpu(*weight).vector(), norm.epsilon, head_dim, head);
    if (rope) kernels_.rotate(rope->pairs, rope->dims, table.data + heads.row * table.columns, count, head_dim, begin);
  };
  pool_.run([&](int thread) {
    each_row_heads(q.rows, kv_heads, thread, pool_.size(), [&](const RowHeads& heads) {
      prepare(norm.query, q, heads);
      prepare(norm.key, k, heads);
      store_heads(kernels_, cache, step, heads, k, v);
    });
  });
}

void CpuBackend::attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q,
                           Rows out) {
  const int tile_rows = attention_rows(shape.heads / shape.kv_heads);
  const int tiles = (q.rows + tile_rows - 1) / tile_rows;
  std::atomic<int> next{0};
  pool_.run([&](int thread) {
    AttentionShare share;
    share.shape = shape;
    share.cache = cache;
    share.positions = step.position;
    share.q = q.data;
    share.out = out.data;
    share.scratch = reinterpret_cast<float*>(workspace_->thread_scratch(thread));
    const auto attend = [&](int item) {
      share.kv_head = item % shape.kv_heads;
      const int begin = (tiles - 1 - item / shape.kv_heads) * tile_rows; // the longest first
      const int end = std::min(begin + tile_rows, q.rows);
      for (share.row_begin = begin; share.row_begin < end; share.row_begin = share.row_end) {
        const int sequence = step.sequence[share.row_begin];
        for (share.row_end = share.row_begin + 1; share.row_end < end && step.sequence[share.row_end] == sequence;)
          ++share.row_end;
        share.page_table = step.table(cache.group, sequence);
        kernels_.attention(share);
      }
    };
    if (q.rows == 1) {
      // The heads whose keys and values this thread stored: they are in its cache.
      each_row_heads(1, shape.kv_heads, thread, pool_.size(), [&](const RowHeads& heads) {
        for (int i = 0; i < heads.count; ++i) attend(heads.first + i);
      });
    } else {
      // Tiles late in a long prompt cost more, so threads take them as they come.
      for (int item = next.fetch_add(1); item < tiles * shape.kv_heads; item = next.fetch_add(1)) attend(item);
    }
  });
}

void CpuBackend::gather(const StepInputs& step, Rows x, Rows out) {
  for (int i = 0; i < step.logits; ++i)
    std::memcpy(out.data + static_cast<std::ptrdiff_t>(i) * out.columns,
                x.data + static_cast<std::ptrdiff_t>(step.logit_row[i]) * x.columns,
                static_cast<std::size_t>(x.columns) * sizeof(float));
}

} // namespace kern
