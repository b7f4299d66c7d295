#include "engine/placement.h"

#include <algorithm>

namespace kern {

namespace {

/// Left to the driver: code of kernels, their local memory, recorded steps.
constexpr std::uint64_t left_free = std::uint64_t{256} << 20;

} // namespace

std::optional<std::size_t> layer_not_for(const Backend& gpu, const ModelSpec& spec) {
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const auto& attention = std::get<Attention>(spec.layers[i].mixer);
    if (!gpu.attends(attention.key_dim, attention.value_dim)) return i;
  }
  return std::nullopt;
}

PlacedModel place_layers(const ModelSpec& spec, Backend& cpu, Backend& gpu, int gpu_layers, bool cache_on_host) {
  const int layers = static_cast<int>(spec.layers.size());
  PlacedModel placed;
  placed.gpu_layers = std::clamp(gpu_layers, 0, layers + 1);
  if (placed.gpu_layers == 0 || (placed.gpu_layers == layers + 1 && !cache_on_host)) {
    placed.backends = {placed.gpu_layers ? &gpu : &cpu};
    placed.placement = Placement::all_on(0, spec.layers.size());
    return placed;
  }
  placed.backends = {&cpu, &gpu};
  placed.placement = Placement::all_on(0, spec.layers.size());
  for (int i = layers + 1 - placed.gpu_layers; i < layers; ++i) {
    const auto layer = static_cast<std::size_t>(i);
    placed.placement.mixer[layer] = cache_on_host ? 0 : 1;
    placed.placement.ffn[layer] = 1;
  }
  placed.placement.output = 1;
  return placed;
}

std::uint64_t plan_gpu(const Gguf& gguf, const ModelSpec& spec, const PlacedModel& placed,
                       const SessionOptions& options) {
  if (placed.gpu_layers == 0) return 0;
  const int gpu = static_cast<int>(placed.backends.size()) - 1;
  const SessionMemory session = plan_session_on(spec, placed.placement, placed.backends, gpu, options);
  return plan_weights(gguf, spec, placed.backends, placed.placement).device_bytes + session.cache_bytes +
         session.scratch_bytes;
}

PlacedModel choose_placement(const Gguf& gguf, const ModelSpec& spec, Backend& cpu, Backend& gpu, const GpuWish& wish,
                             const SessionOptions& options) {
  const int all = static_cast<int>(spec.layers.size()) + 1;
  if (wish.layers >= 0) return place_layers(spec, cpu, gpu, wish.layers, wish.cache_on_host);
  const std::uint64_t free = gpu.free_memory();
  for (int layers = all; layers > 0; --layers) {
    PlacedModel placed = place_layers(spec, cpu, gpu, layers, wish.cache_on_host);
    if (plan_gpu(gguf, spec, placed, options) + left_free <= free) return placed;
  }
  return place_layers(spec, cpu, gpu, 0, wish.cache_on_host);
}

} // namespace kern
