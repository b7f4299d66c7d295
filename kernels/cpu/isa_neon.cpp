// 64-bit Arm with the dot product instructions (flags in CMakeLists.txt).
#define KERN_CPU_KERNELS neon_kernels
#define KERN_CPU_NAME "neon"
#define KERN_CPU_ENCODE encode_neon
#include "kernels/cpu/bodies/all.inl"
