# SPDX-License-Identifier: MIT
# Finds Thrust, the CUDA Toolkit's or Debian's libthrust-dev, whose headers polyq::thrust_headers
# are: an imported target, since Thrust's own would have to be exported. Used by the build, where
# Thrust may be absent, and by the installed package.
find_package(Thrust CONFIG QUIET
             PATHS $ENV{CUDA_HOME} /usr/local/cuda
             PATH_SUFFIXES lib64/cmake/thrust lib/cmake/thrust targets/x86_64-linux/lib/cmake/thrust)
if(Thrust_FOUND AND NOT TARGET polyq::thrust_headers)
  add_library(polyq::thrust_headers INTERFACE IMPORTED)
  target_link_libraries(polyq::thrust_headers INTERFACE Thrust::Thrust)
endif()
