# Compiles the headers that host and device share as device code, so that they stay usable there.
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake before 3.25.2 doesn't know that nvcc has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
add_library(kern_device_check OBJECT tests/device_headers.cu)
target_include_directories(kern_device_check PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(kern_device_check PRIVATE -fmad=false -Werror=all-warnings)
