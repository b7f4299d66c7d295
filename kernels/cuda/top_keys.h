// Logits in the order of the sampler: greater first, of equals the lower id.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/device.h"
#include "kernels/cuda/runtime.h"

namespace kern::cuda {

/// Greater for a more likely token; never 0. The logit is no NaN.
KERN_DEVICE std::uint64_t key_of(float logit, int id) {
  const std::uint32_t bits = float_bits(logit + 0.0f); // -0 is 0
  const std::uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<std::uint64_t>(ordered) << 32 | (0xFFFFFFFFu - static_cast<std::uint32_t>(id));
}
KERN_DEVICE float logit_of(std::uint64_t key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  return bits_float((ordered >> 31) != 0 ? ordered & 0x7FFFFFFFu : ~ordered);
}
KERN_DEVICE std::int32_t id_of(std::uint64_t key) {
  return static_cast<std::int32_t>(0xFFFFFFFFu - static_cast<std::uint32_t>(key));
}

/// The `kept` (a power of two, at most most_top_k) greatest keys of logits [count], in order, in the scratch; 0 where
/// there are fewer. scratch: top_keys_bytes.
const std::uint64_t* launch_top_keys(Device& device, const float* logits, int count, int kept, std::byte* scratch);
std::size_t top_keys_bytes(int count, int kept);

} // namespace kern::cuda
