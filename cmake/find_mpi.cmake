# SPDX-License-Identifier: MIT
# Finds MPI without its C++ bindings, which MPI dropped and which warn. Behind enable_language(CXX).
# Used by the build, where MPI may be absent, and by the installed package. MPI_CXX_FOUND says
# whether it is there: the target MPI::MPI_CXX may exist without it.
if(CMAKE_CXX_COMPILER_LOADED)
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI 3.1 QUIET COMPONENTS CXX)
endif()
