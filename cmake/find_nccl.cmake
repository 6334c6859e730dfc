# SPDX-License-Identifier: MIT
# Finds NCCL 2.18 or newer: the CUDA Toolkit's, Debian's libnccl-dev, or one below $NCCL_HOME or
# CMAKE_PREFIX_PATH, whose header and library polyq::nccl_library is: an imported target. Behind
# find_package(CUDAToolkit). Used by the build, where NCCL may be absent, and by the installed package.
find_path(NCCL_INCLUDE_DIR nccl.h
          HINTS $ENV{NCCL_HOME} ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2
             HINTS $ENV{NCCL_HOME} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
set(NCCL_FOUND FALSE)
if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
  file(STRINGS ${NCCL_INCLUDE_DIR}/nccl.h nccl_lines REGEX "#define NCCL_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3"
         NCCL_VERSION "${nccl_lines}")
  if(NCCL_VERSION VERSION_LESS 2.18)
    message(STATUS "NCCL ${NCCL_VERSION} in ${NCCL_INCLUDE_DIR} is left alone: polyq needs 2.18")
  else()
    set(NCCL_FOUND TRUE)
  endif()
endif()
if(NCCL_FOUND AND NOT TARGET polyq::nccl_library)
  add_library(polyq::nccl_library INTERFACE IMPORTED)
  target_include_directories(polyq::nccl_library INTERFACE ${NCCL_INCLUDE_DIR})
  target_link_libraries(polyq::nccl_library INTERFACE ${NCCL_LIBRARY})
endif()
