// SPDX-License-Identifier: MIT
// The trainer on many GPUs, a process each, which mpirun, srun or torchrun --no-python starts.
#include <polyq/backend/thrust_cuda.cuh>
#include <polyq/comm/nccl.hpp>

#include "agent.hpp"

#ifdef POLYQ_TRAINER_MPI
#include <polyq/comm/mpi.hpp>
#endif

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
    const polyq::comm::Deadline deadline(options.deadline_seconds);
#ifdef POLYQ_TRAINER_MPI
    if (options.launch.size > 1 && options.launch.address.empty()) {  // mpirun names none
      const auto processes = polyq::comm::Mpi::world(deadline);
      return use(options, polyq::comm::Nccl::over(processes, options.device.number, deadline));
    }
#endif
    polyq::comm::Launch launch = options.launch;
    launch.local_rank = options.device.number;
    return use(options, polyq::comm::Nccl::from(launch, deadline));
  }
};

int main(int argc, char** argv) {
  return trainer::train_agent(argc, argv, "ThrustCuda", on_gpu, NcclRanks{});
}
