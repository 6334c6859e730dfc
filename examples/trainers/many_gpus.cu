// SPDX-License-Identifier: MIT
// The trainer on many GPUs, a process each, which srun, mpirun or torchrun --no-python starts: an
// update sums the gradients of all.
#include <cstdio>
#include <polyq/comm/nccl.hpp>
#include <polyq/cuda.cuh>

using namespace polyq;

int main() {
  try {
    const comm::Nccl ranks = comm::Nccl::from_environment();
    Dqn agent{backend::ThrustCuda{.device = ranks.local_rank()},
              nn::Mlp<4, 64, 64, 2>{},
              replay::Uniform<64>{},
              optim::Adam{},
              {.seed = 1},
              rule::QLearning{},
              ranks};
    const TrainResult result = train(agent, env::CartPole{});
    std::printf("rank %d: %s: mean return %.1f\n", ranks.rank(),
                result.solved ? "solved" : "not solved", result.best.mean);
    return result.solved ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
