// SPDX-License-Identifier: MIT
// FakeCuda: what a program asked of CUDA, where no GPU is. The fake runtime and cuBLAS of
// fake_cuda.cpp run no kernel; memory is the host's, so that copies and products are real.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <vector>

namespace test {

struct FakeCuda {
  // What it pretends.
  int devices = 1, driver = 13000, runtime = 13000;
  cudaError_t count_status = cudaSuccess;  // of cudaGetDeviceCount
  std::size_t free_bytes = std::size_t{8} << 30, total_bytes = std::size_t{80} << 30;
  cudaError_t device_fault = cudaSuccess;  // what earlier work did; the answer to all later calls
  cudaError_t launch_fault = cudaSuccess;  // what launches are refused with

  bool has_plans = true;  // whether cublasLt knows how

  // What it saw since the last reset.
  int allocations = 0, frees = 0, waits = 0, uploads = 0, downloads = 0;
  int graphs = 0, graph_launches = 0, plans = 0;
  std::vector<std::string> enqueued;  // kernels, products, memsets, in order
  std::vector<std::string> wrong;     // calls on a stream that is none, or forbidden in a capture

  // Since the program began.
  int alive = 0;  // streams, events, graphs, pools, allocations, handles

  void reset() {
    allocations = frees = waits = uploads = downloads = graphs = graph_launches = plans = 0;
    enqueued.clear();
    wrong.clear();
  }
  int count(const std::string& part) const {
    int found = 0;
    for (const std::string& name : enqueued) found += name.find(part) != std::string::npos;
    return found;
  }
};

FakeCuda& fake_cuda();

}  // namespace test
