#define KERN_ENCODE encode_portable
#include "quant/encode/all.inl"
