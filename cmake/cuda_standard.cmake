# SPDX-License-Identifier: MIT
# Tells CMake that nvcc knows C++20, which CMake 3.25 does not know of. Behind enable_language(CUDA).
# Used by the build, for a project around it too, and by the installed package.
if(CMAKE_CUDA_COMPILER_LOADED AND NOT "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  list(APPEND CMAKE_CUDA20_COMPILE_FEATURES cuda_std_20)
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
  if(DEFINED polyq_SOURCE_DIR AND NOT PROJECT_IS_TOP_LEVEL)
    foreach(variable 20_STANDARD_COMPILE_OPTION 20_EXTENSION_COMPILE_OPTION 20_COMPILE_FEATURES
                     _COMPILE_FEATURES)
      set(CMAKE_CUDA${variable} "${CMAKE_CUDA${variable}}" PARENT_SCOPE)
    endforeach()
  endif()
endif()
