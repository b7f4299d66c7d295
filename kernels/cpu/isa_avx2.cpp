// AVX2, FMA and F16C (flags in CMakeLists.txt).
#define KERN_CPU_KERNELS avx2_kernels
#define KERN_CPU_NAME "avx2"
#define KERN_CPU_ENCODE encode_avx2
#include "kernels/cpu/bodies/all.inl"
