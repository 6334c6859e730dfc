// SPDX-License-Identifier: MIT
// BlockTeam: a block of threads that shares a team's work, and the launch of one block a team.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#include "polyq/backend/concept.hpp"
#include "polyq/backend/cuda_runtime.hpp"

namespace polyq::backend::cuda {

/// Every thread runs the functor; items are shared among them, and each gets what is reduced.
class BlockTeam {
 public:
  static constexpr int threads = 128;

  template <class F>
  __device__ void for_each(int width, F f) const {
    __syncthreads();  // what other threads still read may be written here
    for (int k = int(threadIdx.x); k < width; k += threads) f(k);
    __syncthreads();
  }
  template <class F>
  __device__ float sum(int width, F f) const {
    float total = 0;
    for (int k = int(threadIdx.x); k < width; k += threads) total += f(k);
    return reduce(total, [](float a, float b) { return a + b; });
  }
  template <class F>
  __device__ float max(int width, F f) const {
    float largest = f(0);
    for (int k = int(threadIdx.x); k < width; k += threads) {
      const float value = f(k);
      largest = value > largest ? value : largest;
    }
    return reduce(largest, [](float a, float b) { return b > a ? b : a; });
  }

 private:
  static constexpr int lanes = 32, warps = threads / lanes;

  /// Over all threads, in an order that does not change.
  template <class Combine>
  __device__ static float reduce(float value, Combine combine) {
    __shared__ float parts[warps];
    constexpr unsigned all = 0xffffffff;
    for (int step = lanes / 2; step > 0; step /= 2)
      value = combine(value, __shfl_xor_sync(all, value, step));
    if (threadIdx.x % lanes == 0) parts[threadIdx.x / lanes] = value;
    __syncthreads();
    value = parts[0];
    for (int warp = 1; warp < warps; ++warp) value = combine(value, parts[warp]);
    __syncthreads();  // before the next reduction writes
    return value;
  }
};

template <class F>
__global__ void __launch_bounds__(BlockTeam::threads) run_team(F f) {
  const auto each = prepared(f);
  if (is_active(each)) each(BlockTeam{}, std::int64_t(blockIdx.x));
}

/// Runs f(team, i) for 0 ≤ i < n, n below 2^31, a block each. Enqueues.
template <class F>
void launch_teams(std::int64_t n, F f, cudaStream_t stream) {
  run_team<<<unsigned(n), BlockTeam::threads, 0, stream>>>(f);
}

}  // namespace polyq::backend::cuda
