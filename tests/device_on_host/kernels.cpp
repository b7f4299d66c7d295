// The kernels themselves, compiled for the host.
#include "device_on_host/host_device.h"

#include "kernels/cuda/float_product.cu"
#include "kernels/cuda/float_tile_product.cu"
#include "kernels/cuda/lane_tile_product.cu"
#include "kernels/cuda/quantize.cu"
#include "kernels/cuda/tile_product.cu"
#include "kernels/cuda/vector_product.cu"
