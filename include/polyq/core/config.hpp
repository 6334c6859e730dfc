// SPDX-License-Identifier: MIT
// The library's macros: its version, and what a host and a device compiler must be told
// differently.
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
