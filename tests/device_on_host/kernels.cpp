// The kernels themselves, compiled for the host.
#include "device_on_host/host_device.h"

#include "kernels/cuda/attention_merge.cu"
#include "kernels/cuda/attention_split.cu"
#include "kernels/cuda/attention_tile.cu"
#include "kernels/cuda/cache.cu"
#include "kernels/cuda/quantize.cu"
#include "kernels/cuda/rope.cu"
#include "kernels/cuda/sampler.cu"
#include "kernels/cuda/top_keys.cu"
#include "kernels/cuda/vector_product.cu"
