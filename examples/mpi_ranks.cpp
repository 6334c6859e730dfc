// SPDX-License-Identifier: MIT
// MPI ranks: processes that mpirun or srun started, on one host or many, train one agent.
#include <cstdio>
#include <polyq/comm/mpi.hpp>
#include <polyq/polyq.hpp>

using namespace polyq;

int main() {
  try {
    const comm::Mpi ranks = comm::Mpi::world(comm::Deadline{30});
    Dqn agent{backend::EigenCpu{},
              nn::Mlp<4, 64, 64, 2>{},
              replay::Uniform<64>{.capacity = 48'000},
              optim::Adam{.rate = 2e-3f},
              {.seed = 1},  // the same on all ranks
              rule::QLearning{},
              ranks};
    const TrainResult result =
        train(agent, env::CartPole{}, {.env_steps = 48'000, .evaluation_period_env_steps = 1'200});
    if (ranks.rank() == 0)
      std::printf("%s on %d ranks: mean return %.1f\n", result.solved ? "solved" : "not solved",
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
