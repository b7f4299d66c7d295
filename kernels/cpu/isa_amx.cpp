// AVX-512 with VNNI (flags in CMakeLists.txt), and quantized products of several tokens in the tile registers of AMX.
#if !defined(KERN_TILE_REGISTERS) // tests have some in memory, and another name for the function
#define KERN_TILE_REGISTERS "kernels/cpu/bodies/tile_registers_amx.inl"
#define KERN_MAKE_KERNELS make_amx_kernels
#endif
#define KERN_OWN_TILES "kernels/cpu/bodies/tile_product_amx.inl"
// From so many on they are faster: Q4_0 and Q4_K with 2 tokens take 1.6 and 1.7 times as long as without, with 4 1.2
// and 1.3 times, with 8 the same.
#define KERN_OWN_LEAST_TOKENS 12
#define KERN_BASE_KERNELS avx512_kernels
#define KERN_CPU_NAME "amx"
#include "kernels/cpu/bodies/own_tiles.inl"
