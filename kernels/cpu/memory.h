// What the system can give, and what is given back to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kern {

/// Bytes this process could still take: what the system has, within the cgroup's limit.
std::uint64_t available_memory();

/// Gives the whole pages within a mapped range back to the system, which reads them again when they are touched.
void drop_pages(std::span<const std::byte> bytes);

} // namespace kern
