#define KERN_ENCODE encode_avx2
#include "quant/encode/all.inl"
