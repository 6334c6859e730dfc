// SPDX-License-Identifier: MIT
// The first agent again, on a GPU: environments, replay, networks and optimizer live there, and no
// step or update waits for the host.
#include <cstdio>
#include <polyq/cuda.cuh>

using namespace polyq;

int main() {
  try {
    Dqn agent{backend::ThrustCuda{.device = 0},         // one GPU
              nn::Mlp<4, 64, 64, 2>{},                  // the rest as on a CPU
              replay::Uniform<64>{.capacity = 50'000},  //
              optim::Adam{.rate = 2e-3f},               //
              {.discount = .99f, .seed = 1}};
    Progress progress{stderr, /*terminal=*/false};
    const TrainResult result = train(
        agent, env::Vectorized<env::CartPole, 8>{},
        {.env_steps = 100'000, .train_period_env_steps = 8, .updates_per_period = 8}, progress);
    std::printf("%s: mean return %.1f\n", result.solved ? "solved" : "not solved",
                result.best.mean);
    return result.solved ? 0 : 1;
  } catch (const DeviceError& error) {  // no GPU, no memory, a kernel that failed
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
