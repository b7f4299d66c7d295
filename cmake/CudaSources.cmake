# The GPU backend, compiled by nvcc. Every architecture that CMAKE_CUDA_ARCHITECTURES names takes minutes of its own.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90a-real 100-real 120)
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake before 3.25.2 doesn't know that nvcc has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
# All that a machine needs at run time is its driver.
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)

add_library(kern_cuda OBJECT
  kernels/cuda/attention_merge.cu
  kernels/cuda/attention_split.cu
  kernels/cuda/attention_tile.cu
  kernels/cuda/cache.cu
  kernels/cuda/cuda_backend.cpp
  kernels/cuda/elementwise.cu
  kernels/cuda/float_product.cu
  kernels/cuda/float_tile_product.cu
  kernels/cuda/gpu.cpp
  kernels/cuda/lane_tile_product.cu
  kernels/cuda/limits.cu
  kernels/cuda/quantize.cu
  kernels/cuda/rope.cu
  kernels/cuda/runtime.cu
  kernels/cuda/sampler.cu
  kernels/cuda/staging.cpp
  kernels/cuda/tile_product.cu
  kernels/cuda/top_keys.cu
  kernels/cuda/units.cpp
  kernels/cuda/vector_product.cu
  kernels/cuda/vocabulary_draw.cu
  kernels/cuda/warpgroup_check.cu
  kernels/cuda/warpgroup_float_product.cu
  kernels/cuda/warpgroup_tile_product.cu
  tests/device_headers.cu) # headers that host and device share, as device code
target_link_libraries(kern_cuda PUBLIC kern_flags fmt::fmt)
# As on the host, results are the same everywhere only without contraction.
target_compile_options(kern_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;-Werror=all-warnings>")
target_sources(kern_compute PRIVATE $<TARGET_OBJECTS:kern_cuda>)
find_package(CUDAToolkit REQUIRED)
target_link_libraries(kern_compute PUBLIC CUDA::cudart_static)
