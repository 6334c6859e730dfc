# SPDX-License-Identifier: MIT
# Tests that nvcc compiles: <room>/<header>_test.cu against a fake runtime, which no GPU is needed
# for; and, with POLYQ_TEST_GPU, every backend-typed test again on ThrustCuda.
add_library(polyq_fake_cuda OBJECT fake_cuda.cpp)
target_include_directories(polyq_fake_cuda PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(polyq_fake_cuda PRIVATE polyq_developer)

file(GLOB fake_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} */*_test.cu)
list(REMOVE_ITEM fake_sources comm/nccl_test.cu)
foreach(source ${fake_sources})
  string(REGEX REPLACE "/|\\.cu" "_" name ${source})
  string(REGEX REPLACE "_test_$" "" name ${name})
  add_executable(fake_${name} ${source} $<TARGET_OBJECTS:polyq_fake_cuda>
                 $<TARGET_OBJECTS:polyq_test_main>)
  # Its sizes and flags, not its libraries: the fake is the runtime and cuBLAS.
  target_include_directories(fake_${name} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR}
    $<TARGET_PROPERTY:doctest::doctest,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(fake_${name} PRIVATE
    POLYQ_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
  target_compile_options(fake_${name} PRIVATE
    $<TARGET_PROPERTY:polyq_cuda_developer,INTERFACE_COMPILE_OPTIONS>)
  target_compile_features(fake_${name} PRIVATE cuda_std_20)
  set_target_properties(fake_${name} PROPERTIES CUDA_RUNTIME_LIBRARY None)
  add_test(NAME fake_${name} COMMAND fake_${name})
endforeach()

# On the GPU: as CUDA, what the host runs on its backends. Without a GPU they fail, each with the
# sentence that says so.
option(POLYQ_TEST_GPU "Build the backend-typed tests for ThrustCuda" OFF)
if(POLYQ_TEST_GPU)
  file(GLOB typed_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} */*_test.cpp)
  list(FILTER typed_sources EXCLUDE REGEX "^(comm/(mpi|threads|host_ranks)|dqn/shard_)")  # a host's
  foreach(source ${typed_sources})
    file(STRINGS ${source} typed REGEX "POLYQ_BACKENDS" LIMIT_COUNT 1)
    if(NOT typed)
      continue()
    endif()
    string(REGEX REPLACE "/|\\.cpp" "_" name ${source})
    string(REGEX REPLACE "_test_$" "" name ${name})
    set_source_files_properties(${source} PROPERTIES LANGUAGE CUDA)
    add_executable(gpu_${name} ${source})
    target_link_libraries(gpu_${name} PRIVATE polyq_test_main polyq_cuda_developer)
    target_compile_options(gpu_${name} PRIVATE
      $<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=177>)  # names that only a concept asks for
    add_test(NAME gpu_${name} COMMAND gpu_${name})
  endforeach()
endif()

# NCCL itself, on the real runtime: what it answers without a GPU, and one rank on one.
if(NCCL_FOUND)
  add_executable(test_comm_nccl comm/nccl_test.cu)
  target_link_libraries(test_comm_nccl PRIVATE polyq_test_main polyq_cuda_developer polyq::nccl)
  add_test(NAME comm_nccl COMMAND test_comm_nccl --test-case-exclude=on*)
  add_test(NAME gpu_comm_nccl COMMAND test_comm_nccl --test-case=on*)
  set_tests_properties(gpu_comm_nccl PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: no GPU")
endif()

find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
get_target_property(eigen_include Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
foreach(what headers kernels must_fail)
  add_test(NAME nvcc_${what}
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/architecture/nvcc.py
                   ${what} ${CMAKE_CUDA_COMPILER} -isystem ${eigen_include})
endforeach()

add_subdirectory(package)
