# The GPU backend, compiled by nvcc into the same library as the CPU's. Every architecture that CMAKE_CUDA_ARCHITECTURES
# names costs about as much time as all of the rest.
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
file(GLOB kern_cuda_sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB kern_cuda_host_sources CONFIGURE_DEPENDS kernels/cuda/*.cpp)
# As on the host, results are the same everywhere only without contraction. The runtime is linked in: all that a machine
# needs is its driver.
set(kern_cuda_options -fmad=false -Werror=all-warnings --threads=0)
set_source_files_properties(${kern_cuda_sources} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
target_sources(kern_compute PRIVATE ${kern_cuda_sources} ${kern_cuda_host_sources})
target_compile_options(kern_compute PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${kern_cuda_options}>")

# The headers that host and device share, as device code.
add_library(kern_device_check OBJECT tests/device_headers.cu)
target_include_directories(kern_device_check PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(kern_device_check PRIVATE ${kern_cuda_options})
