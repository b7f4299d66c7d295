#include "kernels/cpu/memory.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace kern {

std::uint64_t available_memory() {
  std::uint64_t bytes = UINT64_MAX;
  std::ifstream system("/proc/meminfo");
  for (std::string name, unit; system >> name;) {
    std::uint64_t kilobytes = 0;
    if (!(system >> kilobytes)) break;
    std::getline(system, unit);
    if (name == "MemAvailable:") bytes = kilobytes * 1024;
  }
  // cgroup v2 and v1: a limit and what is used of it; "max" isn't a number.
  constexpr const char* limits[][2] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, usage_file] : limits) {
    std::uint64_t limit = 0;
    std::uint64_t usage = 0;
    if (std::ifstream(limit_file) >> limit && std::ifstream(usage_file) >> usage)
      bytes = std::min(bytes, limit > usage ? limit - usage : 0);
  }
  return bytes;
}

void drop_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

} // namespace kern
