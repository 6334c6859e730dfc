// SPDX-License-Identifier: MIT
// The trainer on many GPUs, a process each, which mpirun, srun or torchrun --no-python starts.
#include <polyq/backend/thrust_cuda.cuh>
#include <polyq/comm/nccl.hpp>

#include "cart_pole.hpp"

polyq::backend::ThrustCuda on_gpu(const trainer::Device& device) {
  return {.device = device.number};
}

/// The GPU of this process is that of its rank on its host.
struct NcclRanks {
  template <class Use>
  int operator()(trainer::Options options, Use use) const {
    if (options.launch.size > 1 && options.device.number != 0)
      throw trainer::UsageError("--device", "cuda:" + polyq::shown(options.device.number),
                                "cuda; each of several ranks takes the GPU of its local rank");
    if (options.launch.size > 1) options.device.number = options.launch.local_rank;
    polyq::comm::Launch launch = options.launch;
    launch.local_rank = options.device.number;
    const auto ranks =
        polyq::comm::Nccl::from(launch, polyq::comm::Deadline(options.deadline_seconds));
    return use(options, ranks);
  }
};

int main(int argc, char** argv) {
  return trainer::train_cart_pole(argc, argv, "ThrustCuda", on_gpu, NcclRanks{});
}
