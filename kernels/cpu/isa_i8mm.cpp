// 64-bit Arm with the dot product instructions, and quantized products of several tokens by those of matrices (i8mm;
// flags in CMakeLists.txt).
#define KERN_OWN_TILES "kernels/cpu/bodies/tile_product_i8mm.inl"
#define KERN_OWN_LEAST_TOKENS 2 // as many as a matrix has
#define KERN_BASE_KERNELS neon_kernels
#define KERN_MAKE_KERNELS make_i8mm_kernels
#define KERN_CPU_NAME "i8mm"
#include "kernels/cpu/bodies/own_tiles.inl"
