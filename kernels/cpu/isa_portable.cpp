// Whatever the compiler's baseline is.
#define KERN_CPU_KERNELS portable_kernels
#define KERN_CPU_NAME "portable"
#define KERN_CPU_ENCODE encode_portable
#include "kernels/cpu/bodies/all.inl"
