#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "quant/formats.h"

namespace kern {

namespace {

using cuda::Device;

constexpr std::size_t alignment = 256;
std::size_t align_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

class DeviceBuffer final : public Buffer {
public:
  DeviceBuffer(Device& device, std::size_t bytes) : device_(device), bytes_(bytes) {
    if (bytes) data_ = device.allocate(bytes);
  }
  ~DeviceBuffer() override {
    if (data_) device_.release(data_);
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  std::byte* data() override { return data_; }
  std::size_t bytes() const override { return bytes_; }

private:
  Device& device_;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

/// Generated tokens whose attention is computed at once: what they need of scratch grows with the context.
constexpr int split_tokens = 4;

/// From so many tokens on a product's weights are unpacked once for all of them. Both ways give the same bits.
constexpr int tile_tokens = 8;

int rounding_of(Format format) {
  const FormatInfo info = find_format(format).value();
  return info.is_float ? 0 : (info.width == 256 ? 256 : 32);
}

} // namespace

/// One run of device memory, filled from the front.
class DeviceArena {
public:
  DeviceArena(Device& device, std::size_t bytes) : memory_(device, bytes) {}
  std::size_t left() const { return memory_.bytes() - used_; }
  std::byte* take(std::size_t bytes) { return memory_.data() + std::exchange(used_, used_ + bytes); }

private:
  DeviceBuffer memory_;
  std::size_t used_ = 0;
};

/// A weight's bytes; several weights of the same tensor share them.
struct CudaBackend::Placed {
  std::shared_ptr<DeviceArena> arena;
  std::byte* data = nullptr;
};

class CudaWeight final : public Weight {
public:
  std::shared_ptr<const void> memory;
  const std::byte* data = nullptr; // matrices: panels; vectors: floats

  cuda::DeviceMatrix matrix() const { return {data, rows, static_cast<int>(columns), format}; }
  const float* vector() const { return reinterpret_cast<const float*>(data); }
};

namespace {

const CudaWeight& on_device(const Weight& weight) { return static_cast<const CudaWeight&>(weight); }
const float* vector_or_null(const Weight* weight) { return weight ? on_device(*weight).vector() : nullptr; }

class CudaRecordedStep final : public RecordedStep {
public:
  CudaRecordedStep(std::unique_ptr<cuda::Recording> made, std::uint64_t of)
      : recording(std::move(made)), workspace(of) {}
  int launches() const override { return recording->launches(); }
  std::unique_ptr<cuda::Recording> recording;
  std::uint64_t workspace;
};

std::size_t split_bytes(const StepLimits& limits) {
  AttentionShape shape;
  shape.heads = limits.heads;
  shape.kv_heads = limits.heads; // the number of heads is what counts
  shape.key_dim = limits.key_dim;
  shape.value_dim = limits.value_dim;
  return cuda::split_attention_bytes(shape, std::min(limits.tokens, split_tokens), limits.pages);
}

std::size_t rounded_bytes(const StepLimits& limits, int rounding) {
  const int units = static_cast<int>((limits.columns + cuda::unit_columns - 1) / cuda::unit_columns);
  return align_up(cuda::RoundedRows::bytes(limits.tokens, units, rounding));
}

std::size_t float_bytes(const Device& device, const StepLimits& limits) {
  if (!device.warpgroup_products()) return 0;
  return align_up(cuda::warpgroup_float_bytes(limits.tokens, static_cast<int>(limits.columns)));
}

} // namespace

namespace {

/// A draw as the host and the device see it.
struct Draw {
  std::uint64_t position = 0;
  std::int32_t token = 0;
  std::int32_t non_finite = 0; // logits
};

std::size_t draw_bytes(const StepLimits& limits) {
  return sizeof(Draw) + cuda::sampler_bytes(std::max(limits.vocab_size, 1));
}

} // namespace

/// Rounded activations for both kinds of formats, partial results of attention, what a draw needs.
struct CudaBackend::Workspace {
  Workspace(Device& device, const StepLimits& wanted)
      : limits(wanted), by32(device, rounded_bytes(wanted, 32)), by256(device, rounded_bytes(wanted, 256)),
        floats(device, float_bytes(device, wanted)), splits(device, split_bytes(wanted)),
        draws(device, draw_bytes(wanted)) {}

  StepLimits limits;
  DeviceBuffer by32;
  DeviceBuffer by256;
  DeviceBuffer floats; // activations rounded for warpgroups
  DeviceBuffer splits;
  DeviceBuffer draws; // Draw, then scratch
};

CudaBackend::CudaBackend(std::unique_ptr<Device> device, bool exact)
    : device_(std::move(device)), staging_(*device_), exact_(exact) {}
CudaBackend::~CudaBackend() = default;

std::string CudaBackend::description() const {
  const cuda::DeviceInfo& info = device_->info();
  // Without them prompts of 16-bit weights have other last bits.
  const bool does_without = info.major == 9 && !device_->warpgroup_products();
  return fmt::format("{}, compute {}.{}{}", info.name, info.major, info.minor, does_without ? " without wgmma" : "");
}

std::unique_ptr<Buffer> CudaBackend::allocate(std::size_t bytes) {
  auto buffer = std::make_unique<DeviceBuffer>(*device_, bytes);
  if (bytes) device_->clear(buffer->data(), bytes);
  return buffer;
}
void CudaBackend::upload(const void* host, void* to, std::size_t bytes) {
  staging_.upload(host, static_cast<std::byte*>(to), bytes);
}
void CudaBackend::read(const void* from, void* host, std::size_t bytes) {
  staging_.read(static_cast<const std::byte*>(from), host, bytes);
}

std::byte* CudaBackend::take_memory(std::size_t bytes, std::shared_ptr<DeviceArena>& owner) {
  constexpr std::size_t large = std::size_t{64} << 20;
  bytes = align_up(bytes);
  if (bytes >= large) {
    owner = std::make_shared<DeviceArena>(*device_, bytes);
    return owner->take(bytes);
  }
  if (!arena_ || arena_->left() < bytes) {
    const std::size_t expected = std::clamp<std::size_t>(expected_, std::size_t{1} << 20, large);
    arena_ = std::make_shared<DeviceArena>(*device_, std::max(bytes, expected));
  }
  owner = arena_;
  return arena_->take(bytes);
}

void CudaBackend::upload_matrix(const WeightSource& source, std::byte* to) {
  const std::size_t row = row_bytes(source.format, static_cast<std::size_t>(source.columns));
  const std::size_t panel = cuda::panel_bytes(source.format, source.columns);
  const std::int64_t panels = (source.rows + cuda::panel_rows - 1) / cuda::panel_rows;
  constexpr std::size_t at_once = std::size_t{2} << 20;
  const auto step = static_cast<std::int64_t>(std::max<std::size_t>(at_once / panel, 1));
  for (std::int64_t first = 0; first < panels; first += step) {
    const std::int64_t count = std::min(step, panels - first);
    std::byte* room = staging_.room(static_cast<std::size_t>(count) * panel);
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t from = (first + p) * cuda::panel_rows;
      cuda::arrange_panel(source.format, source.bytes.data() + static_cast<std::size_t>(from) * row, row,
                          static_cast<int>(std::min<std::int64_t>(cuda::panel_rows, source.rows - from)),
                          source.columns, room + static_cast<std::size_t>(p) * panel);
    }
    staging_.send(to + static_cast<std::size_t>(first) * panel, static_cast<std::size_t>(count) * panel);
  }
}

std::unique_ptr<Weight> CudaBackend::bind(const WeightSource& source, WeightUse use) {
  auto weight = std::make_unique<CudaWeight>();
  weight->rows = source.rows;
  weight->columns = source.columns;
  weight->format = source.format;
  auto placed = std::make_shared<Placed>();
  if (use == WeightUse::vector) {
    std::vector<float> floats(static_cast<std::size_t>(source.columns));
    visit_format(source.format, [&]<class Traits>(Traits) {
      const auto* blocks = reinterpret_cast<const typename Traits::Block*>(source.bytes.data());
      for (std::size_t i = 0; i < floats.size(); i += Traits::width)
        Traits::decode(blocks[i / Traits::width], floats.data() + i);
    });
    placed->data = take_memory(floats.size() * sizeof(float), placed->arena);
    staging_.upload(floats.data(), placed->data, floats.size() * sizeof(float));
  } else if (const auto known = placed_[source.bytes.data()].lock()) {
    placed = known; // the same tensor in another role
  } else {
    placed->data = take_memory(cuda::matrix_bytes(source.format, source.rows, source.columns), placed->arena);
    upload_matrix(source, placed->data);
    placed_[source.bytes.data()] = placed;
  }
  weight->data = placed->data;
  weight->memory = std::move(placed);
  return weight;
}

MemoryUse CudaBackend::weight_memory(const WeightSource& source, WeightUse use) const {
  MemoryUse memory;
  memory.device_bytes = use == WeightUse::vector
                            ? align_up(static_cast<std::size_t>(source.columns) * sizeof(float))
                            : align_up(cuda::matrix_bytes(source.format, source.rows, source.columns));
  return memory;
}

std::uint64_t CudaBackend::workspace_bytes(const StepLimits& limits) const {
  return rounded_bytes(limits, 32) + rounded_bytes(limits, 256) + float_bytes(*device_, limits) + split_bytes(limits) +
         draw_bytes(limits);
}

void CudaBackend::reserve(const StepLimits& limits) {
  const StepLimits most = workspace_ ? limits.most(workspace_->limits) : limits;
  workspace_.reset(); // first, so that the old one makes room
  workspace_ = std::make_unique<Workspace>(*device_, most);
  ++workspaces_;
}

std::unique_ptr<RecordedStep> CudaBackend::record(const std::function<void()>& enqueue) {
  device_->begin_recording();
  try {
    enqueue();
  } catch (...) {
    device_->end_recording();
    throw;
  }
  return std::make_unique<CudaRecordedStep>(device_->end_recording(), workspaces_);
}
bool CudaBackend::replay(const RecordedStep& step) {
  const auto& recorded = static_cast<const CudaRecordedStep&>(step);
  if (recorded.workspace != workspaces_) return false;
  device_->replay(*recorded.recording);
  return true;
}

CudaBackend::Rounded CudaBackend::rounded_rows(std::span<const Product> products, Rows x) const {
  assert(x.rows <= workspace_->limits.tokens && x.columns <= workspace_->limits.columns);
  const int units = (x.columns + cuda::unit_columns - 1) / cuda::unit_columns;
  Rounded rounded;
  if (x.rows < tile_tokens) return rounded;
  for (const Product& product : products) {
    const int rounding = rounding_of(product.weight->format);
    if (rounding == 32) rounded.by32 = {workspace_->by32.data(), units, 32};
    if (rounding == 256) rounded.by256 = {workspace_->by256.data(), units, 256};
  }
  return rounded;
}

CudaBackend::Input CudaBackend::plain_input(std::span<const Product> products, Rows x) {
  const Rounded rounded = rounded_rows(products, x);
  if (rounded.any()) cuda::launch_quantize(*device_, x.data, x.rows, x.columns, rounded.by32, rounded.by256);
  return {x, rounded, {x.data, x.columns}};
}

CudaBackend::Input CudaBackend::normed_input(std::span<const Product> products, Rows x, const Weight& norm,
                                             float epsilon, Rows normed) {
  const float* weight = on_device(norm).vector();
  const Rounded rounded = rounded_rows(products, x);
  // Products of a few tokens norm for themselves, and the first leaves the normed rows for who wants to see them.
  const auto norms = [&](const Product& p) { return x.rows < tile_tokens && is_exact(p.weight->format); };
  if (std::ranges::all_of(products, norms)) return {normed, rounded, {x.data, x.columns, weight, epsilon, normed.data}};
  if (rounded.any())
    cuda::launch_norm_quantize(*device_, x.data, weight, epsilon, x.rows, x.columns, normed.data, rounded.by32,
                               rounded.by256);
  else cuda::launch_norm(*device_, x.data, weight, epsilon, x.rows, x.columns, normed.data);
  return {normed, rounded, {normed.data, x.columns}};
}

bool CudaBackend::is_exact(Format format) const {
  return exact_ || !prompt_ || (format != Format::f16 && format != Format::bf16);
}

void CudaBackend::run_parts(std::span<const cuda::ProductPart> parts, const Input& input, cuda::Epilogue epilogue) {
  const Format format = parts[0].weight.format;
  const int rounding = rounding_of(format);
  const Rows& x = input.x;
  if (rounding == 0) {
    const bool exact = is_exact(format);
    if (exact && x.rows < tile_tokens) cuda::launch_float_product(*device_, parts, input.vector, x.rows, epilogue);
    else if (exact) cuda::launch_lane_tile_product(*device_, parts, x.data, x.rows, epilogue);
    else if (device_->warpgroup_products()) {
      assert(cuda::warpgroup_float_bytes(x.rows, x.columns) <= workspace_->floats.bytes());
      cuda::launch_warpgroup_float_product(*device_, parts, x.data, x.rows, epilogue, workspace_->floats.data());
    } else cuda::launch_float_tile_product(*device_, parts, x.data, x.rows, epilogue);
  } else if (x.rows < tile_tokens) {
    cuda::launch_vector_product(*device_, parts, input.vector, x.rows, epilogue);
  } else {
    cuda::launch_tile_product(*device_, parts, rounding == 32 ? input.rounded.by32 : input.rounded.by256, x.rows,
                              epilogue);
  }
}

void CudaBackend::run_products(std::span<const Product> products, const Input& input, cuda::Epilogue epilogue) {
  std::array<cuda::ProductPart, cuda::most_parts> parts;
  std::size_t count = 0;
  const auto flush = [&] {
    if (count) run_parts({parts.data(), count}, input, epilogue);
    count = 0;
  };
  // Those of one format that stand together; none depends on another.
  for (const Product& product : products) {
    if (count && (count == parts.size() || parts[0].weight.format != product.weight->format)) flush();
    parts[count++] = {on_device(*product.weight).matrix(), vector_or_null(product.bias), product.out.data};
  }
  flush();
}

std::optional<std::int32_t> CudaBackend::sample(const SamplingChain& chain, const float* logits, int vocab_size,
                                                std::uint64_t position) {
  if (!cuda::can_sample(chain, vocab_size) || vocab_size > workspace_->limits.vocab_size) return std::nullopt;
  auto* on_device = reinterpret_cast<Draw*>(workspace_->draws.data());
  Draw draw;
  draw.position = position;
  upload(&draw, on_device, sizeof draw);
  cuda::launch_find_non_finite(*device_, logits, vocab_size, &on_device->non_finite);
  cuda::launch_sample(*device_, chain, logits, vocab_size, &on_device->position, &on_device->token,
                      workspace_->draws.data() + sizeof(Draw));
  read(on_device, &draw, sizeof draw);
  if (draw.non_finite) return std::nullopt;
  return draw.token;
}

void CudaBackend::embed(const Weight& table, const StepInputs& step, float scale, Rows out) {
  cuda::launch_embed(*device_, on_device(table).matrix(), step.token, step.tokens, scale, out.data);
}

void CudaBackend::rms_norm(Rows x, const Weight& weight, float epsilon, Rows out) {
  const int columns = static_cast<int>(weight.columns);
  cuda::launch_norm(*device_, x.data, on_device(weight).vector(), epsilon, x.rows * (x.columns / columns), columns,
                    out.data);
}

void CudaBackend::matmul(const Weight& weight, Rows x, Rows out) {
  const Product product{&weight, nullptr, out};
  run_products({&product, 1}, plain_input({&product, 1}, x), cuda::Epilogue::store);
}

void CudaBackend::add_bias(const Weight& bias, Rows x) {
  cuda::launch_add_bias(*device_, on_device(bias).vector(), x.rows, x.columns, x.data);
}

void CudaBackend::add(Rows x, Rows to) { cuda::launch_add(*device_, x.data, x.elements(), to.data); }

void CudaBackend::activate(Activation, Rows up, Rows gate) {
  cuda::launch_activate(*device_, up.data, up.elements(), gate.data);
}

void CudaBackend::rope_table(const Rope& rope, const StepInputs& step, Rows table) {
  cuda::launch_rope_table(*device_, rope, step.position, step.tokens, table.data);
}

void CudaBackend::rotate(const Rope& rope, Rows table, int head_dim, Rows x) {
  cuda::launch_rotate(*device_, rope, table.data, x.rows, x.columns / head_dim, head_dim, x.data);
}

void CudaBackend::store_kv(const KvLayer& cache, const StepInputs& step, Rows k, Rows v) {
  cuda::launch_store_kv(*device_, cache, step, k.data, v.data);
}

void CudaBackend::attention(const AttentionShape& shape, const KvLayer& cache, const StepInputs& step, Rows q,
                            Rows out) {
  if (step.prompt) return cuda::launch_tile_attention(*device_, shape, cache, step, q.data, out.data);
  for (int first = 0; first < step.tokens; first += split_tokens) {
    StepInputs part = step;
    part.tokens = std::min(split_tokens, step.tokens - first);
    part.position += first;
    part.sequence += first;
    cuda::launch_split_attention(*device_, shape, cache, part, q.data + static_cast<std::ptrdiff_t>(first) * q.columns,
                                 out.data + static_cast<std::ptrdiff_t>(first) * out.columns,
                                 workspace_->splits.data());
  }
}

void CudaBackend::gather(const StepInputs& step, Rows x, Rows out) {
  cuda::launch_gather(*device_, x.data, step.logit_row, step.logits, x.columns, out.data);
}

void CudaBackend::norm_products(Rows x, const Weight& norm, float epsilon, Rows normed,
                                std::span<const Product> products) {
  run_products(products, normed_input(products, x, norm, epsilon, normed), cuda::Epilogue::store);
}

void CudaBackend::matmul_add(const Weight& weight, const Weight* bias, Rows x, Rows, Rows residual) {
  const Product product{&weight, bias, residual};
  run_products({&product, 1}, plain_input({&product, 1}, x), cuda::Epilogue::add);
}

void CudaBackend::norm_rotate_store(const HeadNorm& norm, const Rope* rope, Rows table, const KvLayer& cache,
                                    const StepInputs& step, Rows q, Rows k, Rows v) {
  const int heads = q.columns / cache.view.shape.key_dim;
  cuda::launch_norm_rotate_store(*device_, vector_or_null(norm.query), vector_or_null(norm.key), norm.epsilon, rope,
                                 table.data, cache, step, heads, q.data, k.data, v.data);
}

void CudaBackend::norm_gate_up(Rows x, const Weight& norm, float epsilon, Activation activation, Rows normed,
                               Product gate, Product up) {
  if (gate.weight->format != up.weight->format) {
    Backend::norm_gate_up(x, norm, epsilon, activation, normed, gate, up);
    return;
  }
  const Product products[] = {gate, up};
  run_products(products, normed_input(products, x, norm, epsilon, normed), cuda::Epilogue::activate);
}

} // namespace kern
