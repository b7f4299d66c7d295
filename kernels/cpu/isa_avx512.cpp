// AVX-512 F, BW, DQ, VL and VNNI (flags in CMakeLists.txt).
#define KERN_CPU_KERNELS avx512_kernels
#define KERN_CPU_NAME "avx512"
#define KERN_CPU_ENCODE encode_avx512
#include "kernels/cpu/bodies/all.inl"
