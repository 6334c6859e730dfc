# SPDX-License-Identifier: MIT
# How polyq's own programs are compiled; none of it reaches a consumer.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
enable_language(CXX)
if(POLYQ_CUDA)
  include(cmake/developer_cuda.cmake)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set_target_properties(polyq polyq_thrust PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

set(POLYQ_ARCH native CACHE STRING "Instruction set of polyq's own programs, as -march names it")
option(POLYQ_WERROR "Warnings are errors" OFF)
set(POLYQ_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize names them")

add_library(polyq_developer INTERFACE)
target_link_libraries(polyq_developer INTERFACE polyq::polyq)
target_compile_options(polyq_developer INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-march=${POLYQ_ARCH}>)
if(POLYQ_WERROR)
  target_compile_options(polyq_developer INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 warns of its own AVX-512 header, wherever that is inlined; clang still looks.
  target_compile_options(polyq_developer INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(POLYQ_SANITIZE)
  set(sanitize -fsanitize=${POLYQ_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(polyq_developer INTERFACE ${sanitize})
  target_link_options(polyq_developer INTERFACE ${sanitize})
endif()
