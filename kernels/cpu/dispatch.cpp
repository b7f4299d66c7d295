#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels/cpu/kernels.h"

namespace kern {

namespace {

struct Candidate {
  const CpuKernels* kernels;
  bool runs_here;
};

} // namespace

const CpuKernels& choose_cpu_kernels(const char* name) {
#if defined(__x86_64__)
  // Whatever has AVX2 has F16C too, and clang before 17 can't ask for the latter.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  const Candidate candidates[] = {{&avx512_kernels, avx512}, {&avx2_kernels, avx2}, {&portable_kernels, true}};
#else
  const Candidate candidates[] = {{&portable_kernels, true}};
#endif
  std::string known;
  for (const Candidate& candidate : candidates) {
    known += std::string(known.empty() ? "" : ", ") + candidate.kernels->name;
    if (*name == '\0' ? candidate.runs_here : std::strcmp(name, candidate.kernels->name) == 0) {
      if (!candidate.runs_here)
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

} // namespace kern
