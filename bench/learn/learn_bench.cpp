// SPDX-License-Identifier: MIT
// Learning over seeds: the trainer's defaults on CartPole, 20 seeds, and CleanRL's protocol, seven.
// A line a seed, then the mean with its 95 % interval over seeds (Student's t).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <vector>

#include "agents.hpp"

namespace {

using namespace polyq;

/// Half the 95 % interval of a mean of n values; Student's quantile for n - 1 degrees of freedom.
double half_interval(const std::vector<double>& values, double mean, double quantile) {
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double n = double(values.size());
  return quantile * std::sqrt(squares / (n - 1) / n);
}
double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / double(values.size());
}

void defaults() {
  constexpr int seeds = 20;
  constexpr double quantile = 2.093;  // 19 degrees of freedom
  std::vector<double> returns, steps, seconds;
  int solved = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    Dqn agent{backend::EigenCpu{},
              nn::Mlp<4, 64, 64, 2>{},
              replay::Uniform<64>{.capacity = 50'000},
              optim::Adam{.rate = 2e-3f},
              {.seed = std::uint64_t(seed)}};
    const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 50'000});
    solved += result.solved;
    returns.push_back(result.best.mean);
    steps.push_back(double(result.env_steps));
    seconds.push_back(result.seconds);
    bench::print_line("learn", "CartPole-v1, the trainer's defaults",
                      {{"seed", double(seed)},
                       {"solved", double(result.solved)},
                       {"report_return", result.best.mean},
                       {"env_steps", double(result.env_steps)},
                       {"seconds", result.seconds},
                       {"largest_value", result.largest_value}});
  }
  bench::print_line("learn", "CartPole-v1, the trainer's defaults, all seeds",
                    {{"seeds", seeds},
                     {"solved", double(solved)},
                     {"report_return", mean_of(returns)},
                     {"report_return_95", half_interval(returns, mean_of(returns), quantile)},
                     {"env_steps", mean_of(steps)},
                     {"env_steps_95", half_interval(steps, mean_of(steps), quantile)},
                     {"seconds", mean_of(seconds)}});
}

void cleanrl() {
  constexpr int seeds = 7;
  constexpr double quantile = 2.447;  // 6 degrees of freedom
  std::vector<double> returns, seconds;
  for (int seed = 1; seed <= seeds; ++seed) {
    Dqn agent{backend::EigenCpu{},
              nn::Mlp<4, 120, 84, 2>{},
              replay::Uniform<128>{.capacity = 10'000},
              optim::Adam{.rate = 2.5e-4f},
              {.seed = std::uint64_t(seed),
               .exploration = math::Schedule::linear(1, .05f, 250'000),
               .target_period_updates = 50,
               .tau = 1}};
    const TrainResult result = train(agent, env::CartPole{},
                                     {.env_steps = 500'000,
                                      .warm_up_env_steps = 10'000,
                                      .train_period_env_steps = 10,
                                      .evaluation_period_env_steps = 0,
                                      .early_stop = false});
    returns.push_back(result.training_return);
    seconds.push_back(result.seconds);
    bench::print_line("learn", "CartPole-v1, CleanRL's protocol",
                      {{"seed", double(seed)},
                       {"last_100_training_return", result.training_return},
                       {"updates", double(result.updates)},
                       {"seconds", result.seconds}});
  }
  bench::print_line(
      "learn", "CartPole-v1, CleanRL's protocol, all seeds",
      {{"seeds", seeds},
       {"last_100_training_return", mean_of(returns)},
       {"last_100_training_return_95", half_interval(returns, mean_of(returns), quantile)},
       {"worst", *std::min_element(returns.begin(), returns.end())},
       {"seconds", mean_of(seconds)}});
}

}  // namespace

int main() {
  defaults();
  cleanrl();
}
