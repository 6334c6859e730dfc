// SPDX-License-Identifier: MIT
// Whole runs follow PyTorch's, draw by draw: acting, ring, time limit, rule, clipping, Adam, target
// copies and the times of all of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "golden.hpp"

namespace {

namespace env = polyq::env;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
namespace replay = polyq::replay;
namespace rule = polyq::rule;
using polyq::Dqn, polyq::DqnSettings, polyq::TrainResult, polyq::TrainSettings;

/// The double instantiation with a time limit of 30 steps.
struct ShortCartPole : env::CartPoleOf<double> {
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, polyq::core::Random random) const {
    env::Outcome outcome = env::CartPoleOf<double>::step(state, action, random);
    outcome.truncated = state.steps >= 30;
    return outcome;
  }
};

template <class Agent, class Environments>
void check_beside_torch(Agent& agent, const Environments& environments, TrainSettings settings,
                        const test::Golden& expected) {
  settings.warm_up_env_steps = 100;
  settings.evaluation_period_env_steps = 0;
  settings.report_episodes = 1;
  settings.early_stop = false;
  const TrainResult result = train(agent, environments, settings);
  const std::string length = std::to_string(settings.env_steps);
  CAPTURE(length);
  CHECK(double(result.episodes) == expected["episodes_" + length](0));
  const test::Tensor& exact = expected["parameters_" + length];
  const std::vector<float> got = agent.parameters();
  REQUIRE(int(got.size()) == exact.rows);
  double worst = 0;
  for (int i = 0; i < exact.rows; ++i) worst = std::max(worst, std::abs(got[i] - exact(i)));
  // Parameters are near 1: an update rounds one by 2^-24, its gradient brings as much again from
  // each of a few layers, and roundings add up as roots do. One wrong row in the very last
  // update gives 8e-6, a hundred updates earlier 1e-2.
  CHECK(worst <= 4 * std::sqrt(double(result.updates)) * 0x1p-24);
}

}  // namespace

TEST_CASE_TEMPLATE("one environment, hard target copies, Huber, clipped gradients", B,
                   POLYQ_BACKENDS) {
  for (const std::uint64_t env_steps : {402, 1'200}) {
    Dqn agent{B{},
              nn::Mlp<4, 16, 16, 2>{},
              replay::Uniform<32>{.capacity = 300},
              optim::Clipped{optim::Adam{.rate = math::Schedule::linear(5e-3f, 1e-3f, 1'000)}, 2.f},
              DqnSettings{.seed = 3,
                          .exploration = math::Schedule::linear(1, .05f, 600),
                          .target_period_updates = 25,
                          .tau = 1},
              rule::QLearning{math::Huber{}}};
    check_beside_torch(
        agent, ShortCartPole{},
        {.env_steps = env_steps, .train_period_env_steps = 4, .updates_per_period = 2},
        test::Golden("torch_training/plain.txt"));
  }
}

TEST_CASE_TEMPLATE("three environments, double Q-learning, a target that follows", B,
                   POLYQ_BACKENDS) {
  for (const std::uint64_t env_steps : {402, 1'200}) {
    Dqn agent{B{},
              nn::Mlp<4, 16, 16, 2>{},
              replay::Uniform<32>{.capacity = 300},
              optim::Adam{.rate = 5e-3f},
              DqnSettings{.seed = 4,
                          .exploration = math::Schedule::linear(1, .05f, 600),
                          .tau = .05f,
                          .reward = {.scale = .25f}},
              rule::DoubleQLearning{}};
    check_beside_torch(agent, env::Vectorized<ShortCartPole, 3>{},
                       {.env_steps = env_steps, .train_period_env_steps = 6},
                       test::Golden("torch_training/double.txt"));
  }
}
