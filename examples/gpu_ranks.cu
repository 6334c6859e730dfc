// SPDX-License-Identifier: MIT
// GPU ranks: a process for each GPU, which srun, mpirun or torchrun --no-python starts, train one
// agent.
#include <cstdio>
#include <polyq/comm/nccl.hpp>
#include <polyq/cuda.cuh>

using namespace polyq;

int main() {
  try {
    const comm::Nccl ranks = comm::Nccl::from_environment();
    Dqn agent{backend::ThrustCuda{.device = ranks.local_rank()},
              nn::Mlp<4, 64, 64, 2>{},
              replay::Uniform<64>{.capacity = 48'000},  // whole for 1, 2, 3, 4, 6, 8 … ranks
              optim::Adam{},
              {.seed = 1},
              rule::QLearning{},
              ranks};
    const TrainResult result =
        train(agent, env::CartPole{}, {.env_steps = 48'000, .evaluation_period_env_steps = 1'200});
    if (ranks.rank() == 0)
      std::printf("%s on %d GPUs: mean return %.1f\n", result.solved ? "solved" : "not solved",
                  ranks.size(), result.best.mean);
    return result.solved ? 0 : 1;
  } catch (const CommError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.kind == CommError::Kind::lost ? 75 : 2;  // 75: start all ranks again
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
