// The kernels for AMX with tile registers in memory, so that any processor with AVX-512 can try them.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define KERN_TILE_REGISTERS "tests/tiles_in_memory.inl"
#define KERN_MAKE_KERNELS make_kernels_of_tiles_in_memory
#include "kernels/cpu/isa_amx.cpp"
