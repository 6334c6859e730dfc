// SPDX-License-Identifier: MIT
// The first agent: DQN on CartPole, then its actions in a program of your own.
#include <array>
#include <cstdio>
#include <polyq/polyq.hpp>

using namespace polyq;

int main() {
  Dqn agent{backend::EigenCpu{},                      // one core
            nn::Mlp<4, 64, 64, 2>{},                  // observations, hidden…, actions
            replay::Uniform<64>{.capacity = 50'000},  // batches of 64
            optim::Adam{.rate = 2e-3f},               //
            {.discount = .99f, .seed = 1}};
  Progress progress{stderr, /*terminal=*/false};
  const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 50'000}, progress);

  std::printf("%s after %llu env steps: mean return %.1f over %d greedy episodes\n",
              result.solved ? "solved" : "not solved",
              static_cast<unsigned long long>(result.env_steps), result.best.mean,
              result.best.episodes);

  agent.set_parameters(result.best_parameters);
  Greedy act{agent};
  const std::array<float, 4> falling_right{0, 0, .1f, .5f};
  std::printf("the pole falls to the right: push %s\n", act(falling_right) == 1 ? "right" : "left");
  return result.solved ? 0 : 1;
}
