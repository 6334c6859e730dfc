// SPDX-License-Identifier: MIT
// One rank on one GPU; without a GPU, the sentence that says so.
#include <cstdio>
#include <cstring>
#include <polyq/comm/nccl.hpp>

int main() {
  try {
    const polyq::comm::Nccl ranks = polyq::comm::Nccl::from({});
    ranks.barrier();
    return 0;
  } catch (const polyq::DeviceError& error) {
    std::puts(error.what());
    return std::strstr(error.what(), "no CUDA device") != nullptr ? 0 : 1;
  }
}
