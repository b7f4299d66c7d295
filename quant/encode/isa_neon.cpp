#define KERN_ENCODE encode_neon
#include "quant/encode/all.inl"
