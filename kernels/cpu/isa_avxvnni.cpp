// AVX2, FMA, F16C and AVX-VNNI (flags in CMakeLists.txt).
#define KERN_CPU_KERNELS avxvnni_kernels
#define KERN_CPU_NAME "avxvnni"
#include "kernels/cpu/bodies/all.inl"
