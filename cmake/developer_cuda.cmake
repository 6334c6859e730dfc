# SPDX-License-Identifier: MIT
# How polyq's own programs are compiled by nvcc: for every architecture that is shipped, unless
# CMAKE_CUDA_ARCHITECTURES chooses. Where warnings are errors, so is a register that spills.
if(CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  find_program(NVCC nvcc HINTS /usr/local/cuda/bin)
  execute_process(COMMAND ${NVCC} --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # the last with its PTX
  if(known MATCHES compute_120)  # CUDA 12.8
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 120)
  endif()
endif()
enable_language(CUDA)
include(cmake/cuda_standard.cmake)
find_package(CUDAToolkit 12 REQUIRED)
include(cmake/find_nccl.cmake)
if(NOT NCCL_FOUND)
  message(STATUS "NCCL absent: what uses polyq::nccl, many_gpus among it, is not built")
endif()

add_library(polyq_cuda_developer INTERFACE)
target_link_libraries(polyq_cuda_developer INTERFACE polyq::cuda)
target_compile_options(polyq_cuda_developer INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler=-Wall,-Wextra -Xptxas=--warn-on-spills>)
if(POLYQ_WERROR)
  target_compile_options(polyq_cuda_developer INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler=-Werror --Werror=all-warnings -Xptxas=-Werror>)
endif()
