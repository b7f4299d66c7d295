// The kernels themselves, compiled for the host.
#include "device_on_host/host_device.h"

#include "kernels/cuda/attention_merge.cu"
#include "kernels/cuda/attention_split.cu"
#include "kernels/cuda/attention_tile.cu"
#include "kernels/cuda/cache.cu"
#include "kernels/cuda/elementwise.cu"
#include "kernels/cuda/float_product.cu"
#include "kernels/cuda/limits.cu"
#include "kernels/cuda/quantize.cu"
#include "kernels/cuda/rope.cu"
#include "kernels/cuda/tile_product.cu"
#include "kernels/cuda/vector_product.cu"
