// Which layers run on the GPU.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/session.h"
#include "model/gguf.h"
#include "model/weights.h"

namespace kern {

/// Backends and what runs where; a model with all its layers on one backend knows of no other.
struct PlacedModel {
  std::vector<Backend*> backends;
  Placement placement;
  int gpu_layers = 0; // of layers + 1, the output counted as the last
};

struct GpuWish {
  int layers = -1;            // the last so many of layers + 1, the output counted as the last; -1: as many as fit
  bool cache_on_host = false; // attention stays where the KV cache is: on the CPU
};

/// The first layer that the GPU has no kernels for; nothing where it can run all.
std::optional<std::size_t> layer_not_for(const Backend& gpu, const ModelSpec& spec);

/// The last `gpu_layers` on the GPU; with all of them the token table too.
PlacedModel place_layers(const ModelSpec& spec, Backend& cpu, Backend& gpu, int gpu_layers, bool cache_on_host);

/// Bytes a model with a session takes on the GPU, from headers alone.
std::uint64_t plan_gpu(const Gguf& gguf, const ModelSpec& spec, const PlacedModel& placed,
                       const SessionOptions& options);

/// As wished; where as many as fit are wished, the most layers whose weights, cache and scratch fit what the GPU has
/// free, some of it left to others.
PlacedModel choose_placement(const Gguf& gguf, const ModelSpec& spec, Backend& cpu, Backend& gpu, const GpuWish& wish,
                             const SessionOptions& options);

} // namespace kern
