# SPDX-License-Identifier: MIT
# The components: targets beside polyq::polyq, each with dependencies of its own. They are defined
# even where these are absent, since an install serves other machines; linking them then fails.

# polyq::thrust: functors on Thrust's host systems, by a host compiler. Without the definition
# Thrust asks a host compiler for CUDA's headers; a .cu keeps Thrust's own choice.
include(cmake/find_thrust.cmake)
add_library(polyq_thrust INTERFACE)
add_library(polyq::thrust ALIAS polyq_thrust)
set_target_properties(polyq_thrust PROPERTIES EXPORT_NAME thrust)
target_sources(polyq_thrust INTERFACE FILE_SET HEADERS BASE_DIRS include
               FILES include/polyq/backend/thrust.hpp)
target_compile_definitions(polyq_thrust INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP>)
target_link_libraries(polyq_thrust INTERFACE polyq polyq::thrust_headers)

# polyq::mpi: ranks that are processes, by the MPI of the machine.
include(cmake/find_mpi.cmake)
add_library(polyq_mpi INTERFACE)
add_library(polyq::mpi ALIAS polyq_mpi)
set_target_properties(polyq_mpi PROPERTIES EXPORT_NAME mpi)
file(GLOB mpi_headers CONFIGURE_DEPENDS include/polyq/comm/mpi*.hpp)
target_sources(polyq_mpi INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${mpi_headers})
target_link_libraries(polyq_mpi INTERFACE polyq MPI::MPI_CXX)

# polyq::cuda: one GPU, by nvcc, as C++20; architectures and every other flag are the user's.
if(CMAKE_CXX_COMPILER_LOADED OR CMAKE_CUDA_COMPILER_LOADED)  # what CMake's search needs
  find_package(CUDAToolkit 12 QUIET)
endif()
add_library(polyq_cuda INTERFACE)
add_library(polyq::cuda ALIAS polyq_cuda)
set_target_properties(polyq_cuda PROPERTIES EXPORT_NAME cuda)
file(GLOB_RECURSE cuda_headers CONFIGURE_DEPENDS include/polyq/*.cuh include/polyq/backend/cuda_*.hpp)
target_sources(polyq_cuda INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${cuda_headers})
include(cmake/cuda_standard.cmake)
target_compile_features(polyq_cuda INTERFACE cxx_std_20 cuda_std_20)
target_link_libraries(polyq_cuda INTERFACE CUDA::cublas CUDA::cublasLt)

# polyq::nccl: many GPUs, a process each. A program without a .cu links CUDA::cudart beside it; nvcc
# brings a runtime of its own.
if(CUDAToolkit_FOUND)
  include(cmake/find_nccl.cmake)
endif()
add_library(polyq_nccl INTERFACE)
add_library(polyq::nccl ALIAS polyq_nccl)
set_target_properties(polyq_nccl PROPERTIES EXPORT_NAME nccl)
target_sources(polyq_nccl INTERFACE FILE_SET HEADERS BASE_DIRS include
               FILES include/polyq/comm/nccl.hpp)
target_link_libraries(polyq_nccl INTERFACE polyq polyq_cuda polyq::nccl_library)
