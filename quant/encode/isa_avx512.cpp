#define KERN_ENCODE encode_avx512
#include "quant/encode/all.inl"
