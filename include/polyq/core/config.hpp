// SPDX-License-Identifier: MIT
// What a host and a device compiler must be told differently, and the library's macros, its version
// among them.
#pragma once
#include <cassert>

#define POLYQ_VERSION_MAJOR 0
#define POLYQ_VERSION_MINOR 1
#define POLYQ_VERSION_PATCH 0

#if __cplusplus < 202002L
#error "polyq needs C++20 (g++, clang and nvcc: -std=c++20)"
#endif

#ifdef __CUDACC__
#define POLYQ_HD __host__ __device__
#else
#define POLYQ_HD
#endif

#define POLYQ_ASSERT(condition) assert(condition)

namespace polyq::core {

/// Asks a host's memory for what will be read soon; a device has other threads to run meanwhile.
POLYQ_HD inline void prefetch([[maybe_unused]] const void* where) {
#ifndef __CUDA_ARCH__
  __builtin_prefetch(where);
#endif
}

}  // namespace polyq::core
