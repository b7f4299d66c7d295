// AVX2, FMA, F16C and AVX-VNNI (flags in CMakeLists.txt).
#define KERN_CPU_KERNELS avxvnni_kernels
#define KERN_CPU_NAME "avxvnni"
#define KERN_CPU_ENCODE encode_avx2
#include "kernels/cpu/bodies/all.inl"
