// Draws from candidates too many to be sorted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/runtime.h"
#include "kernels/sampling.h"

namespace kern::cuda {

inline constexpr int most_drawn_vocabulary = 1 << 22;

/// As launch_sample, for every chain whose temperature isn't 0. vocab_size: at most most_drawn_vocabulary; scratch:
/// vocabulary_draw_bytes.
void launch_vocabulary_draw(Device& device, const SamplingChain& chain, const float* logits, int vocab_size,
                            const std::uint64_t* position, std::int32_t* token, std::byte* scratch);
std::size_t vocabulary_draw_bytes(int vocab_size);

} // namespace kern::cuda
