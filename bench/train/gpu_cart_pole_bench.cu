// SPDX-License-Identifier: MIT
// A whole run of CartPole on a GPU: CleanRL's 500 000 env steps by 10 environments that step in the
// same recording as the update, one update each 10 env steps; and the trainer's defaults, five
// seeds.
#include <cstdint>
#include <cstdio>
#include <polyq/cuda.cuh>

#include "agents.hpp"

namespace {

using namespace polyq;

void protocol(std::uint64_t seed) {
  Dqn agent{backend::ThrustCuda{},
            nn::Mlp<4, 120, 84, 2>{},
            replay::Uniform<128>{.capacity = 10'000},
            optim::Adam{.rate = 2.5e-4f},
            {.seed = seed,
             .exploration = math::Schedule::linear(1, .05f, 250'000),
             .target_period_updates = 50,
             .tau = 1}};
  const TrainResult result = train(agent, env::Vectorized<env::CartPole, 10>{},
                                   {.env_steps = 500'000,
                                    .warm_up_env_steps = 10'000,
                                    .train_period_env_steps = 10,
                                    .evaluation_period_env_steps = 0,
                                    .early_stop = false,
                                    .chunk_env_steps = 10'000});
  bench::print_line("gpu_cart_pole",
                    "CleanRL's protocol, 10 environments, 4-120-84-2 B=128, 500000 steps",
                    {{"seed", double(seed)},
                     {"seconds", result.seconds},
                     {"updates", double(result.updates)},
                     {"training_return", result.training_return}});
}

void defaults(std::uint64_t seed) {
  Dqn agent{backend::ThrustCuda{},
            nn::Mlp<4, 64, 64, 2>{},
            replay::Uniform<64>{.capacity = 50'000},
            optim::Adam{.rate = 2e-3f},
            {.seed = seed}};
  const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 50'000});
  bench::print_line("gpu_cart_pole", "the trainer's defaults",
                    {{"seed", double(seed)},
                     {"solved", double(result.solved)},
                     {"report_return", result.best.mean},
                     {"env_steps", double(result.env_steps)},
                     {"seconds", result.seconds}});
}

}  // namespace

int main() {
  try {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) protocol(seed);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) defaults(seed);
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
