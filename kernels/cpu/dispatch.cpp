#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "kernels/cpu/kernels.h"

namespace kern {

namespace {

struct Candidate {
  const char* name;
  const CpuKernels* kernels; // null: this processor can't run them
};

#if defined(__x86_64__)
/// AVX-VNNI, which compilers before GCC 13 and clang 17 can't ask for: leaf 7, subleaf 1, bit 4 of EAX.
[[maybe_unused]] bool has_avxvnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1u) != 0;
}

#if defined(__linux__)
/// AMX's tiles and products of int8 and bfloat16: leaf 7, bits 24, 25 and 22 of EDX, and the kernel's leave to use
/// registers this large, which it gives to a whole process.
bool may_use_amx() {
  constexpr long request_permission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;              // XFEATURE_XTILEDATA
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned features = 1u << 25 | 1u << 24 | 1u << 22;
  const bool has = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & features) == features;
  return has && ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// Only where they run: what makes the table is itself code for AVX-512.
const CpuKernels& amx_kernels() {
  static const CpuKernels kernels = make_amx_kernels();
  return kernels;
}
#endif
#endif

#if defined(__aarch64__)
bool has_dot_product() {
#if defined(__APPLE__)
  return true; // in every processor of theirs with macOS
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return false;
#endif
}

bool has_matrix_product() {
#if defined(__APPLE__)
  int has = 0;
  std::size_t size = sizeof has;
  return ::sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, nullptr, 0) == 0 && has != 0;
#elif defined(__linux__) && defined(HWCAP2_I8MM)
  return has_dot_product() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#else
  return false;
#endif
}

/// Only where they run, as those of AMX.
const CpuKernels& i8mm_kernels() {
  static const CpuKernels kernels = make_i8mm_kernels();
  return kernels;
}
#endif

} // namespace

const CpuKernels& choose_cpu_kernels(const char* name) {
#if defined(__x86_64__)
  // Whatever has AVX2 has F16C too, and clang before 17 can't ask for the latter.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
#if defined(__linux__)
  static const bool amx = avx512 && may_use_amx();
#endif
  const Candidate candidates[] = {
#if defined(__linux__)
    {"amx", amx ? &amx_kernels() : nullptr},
#endif
    {"avx512", avx512 ? &avx512_kernels : nullptr},
#if defined(KERN_HAS_AVXVNNI)
    {"avxvnni", avx2 && has_avxvnni() ? &avxvnni_kernels : nullptr},
#endif
    {"avx2", avx2 ? &avx2_kernels : nullptr},
    {"portable", &portable_kernels}
  };
#elif defined(__aarch64__)
  const Candidate candidates[] = {{"i8mm", has_matrix_product() ? &i8mm_kernels() : nullptr},
                                  {"neon", has_dot_product() ? &neon_kernels : nullptr},
                                  {"portable", &portable_kernels}};
#else
  const Candidate candidates[] = {{"portable", &portable_kernels}};
#endif
  std::string known;
  for (const Candidate& candidate : candidates) {
    known += std::string(known.empty() ? "" : ", ") + candidate.name;
    if (*name == '\0' ? candidate.kernels != nullptr : std::strcmp(name, candidate.name) == 0) {
      if (!candidate.kernels)
        throw std::invalid_argument("KERN_CPU=" + std::string(name) + ": this processor can't run it; unset KERN_CPU");
      return *candidate.kernels;
    }
  }
  throw std::invalid_argument("KERN_CPU=" + std::string(name) + ": expected one of " + known);
}

const CpuKernels& choose_cpu_kernels() {
  const char* name = std::getenv("KERN_CPU");
  return choose_cpu_kernels(name ? name : "");
}

CacheLevel choose_read_ahead() {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amd")) return CacheLevel::second;
#endif
  return CacheLevel::first;
}

} // namespace kern
