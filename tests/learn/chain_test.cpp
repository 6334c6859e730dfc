// SPDX-License-Identifier: MIT
// A chain whose Q is known in closed form: what is learned equals it, for Q-learning and double
// Q-learning, where its end is a termination and where it is a truncation, which bootstraps.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <polyq/dqn/greedy.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>

#include "backends.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

constexpr int length = 5;
constexpr float discount = .9f;

/// Places 0 to 4 in a row. Action 1 goes right, action 0 left; from the last place right is
/// rewarded by 1, leads to place 0 and ends the episode. An episode starts anywhere.
struct Chain {
  static constexpr const char* name = "Chain";
  static constexpr int observation_size = length, action_count = 2;
  bool truncates = false;

  struct State {
    int place;
  };
  POLYQ_HD State reset(core::Random random) const {
    return {int(core::below(random.words().word[0], length))};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    if (action == 0) {
      state.place = state.place > 0 ? state.place - 1 : 0;
      return {0, false, false};
    }
    if (++state.place < length) return {0, false, false};
    state.place = 0;
    return {1, !truncates, truncates};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    for (int place = 0; place < length; ++place) out[place] = place == state.place;
  }
};

/// With the way to the reward d = 4 − place, V(place) = γ^d where the end is one; where it is a
/// truncation the walk goes on from place 0: V(place) = γ^d + γ^(d + 1) V(0), and so
/// V(0) = γ^4 / (1 − γ^5). Q(right) = V; left leads to the place before: Q(left) = γ V(before).
double expected_value(int place, bool truncates) {
  const double gamma = discount;
  const double start = std::pow(gamma, length - 1) / (1 - std::pow(gamma, length));
  return std::pow(gamma, length - 1 - place) +
         (truncates ? std::pow(gamma, length - place) * start : 0);
}

template <class B, class Rule>
void learn(Rule rule, bool truncates) {
  CAPTURE(truncates);
  // Everything is explored; the rate falls, so that the last steps leave no noise.
  polyq::Dqn agent(B{}, polyq::nn::Mlp<length, 16, 2>{},
                   polyq::replay::Uniform<32>{.capacity = 2'000},
                   polyq::optim::Adam{.rate = polyq::math::Schedule::linear(.01f, 1e-5f, 10'000)},
                   {.discount = discount, .exploration = 1.f, .tau = .05f}, rule);
  const polyq::TrainResult result = polyq::train(agent, Chain{.truncates = truncates},
                                                 {.env_steps = 10'000,
                                                  .warm_up_env_steps = 500,
                                                  .evaluation_period_env_steps = 0,
                                                  .report_episodes = 10});
  CHECK(result.best.mean == 1);

  polyq::Greedy greedy(agent);
  for (int place = 0; place < length; ++place) {
    CAPTURE(place);
    std::array<float, length> observation{};
    observation[place] = 1;
    const std::array<float, 2> values = greedy.values(observation);
    const double right = expected_value(place, truncates);
    const double left = discount * expected_value(place > 0 ? place - 1 : 0, truncates);
    // Ten of the last steps, of 1e-5 each. Most errors are of rounding, below 3e-6.
    CHECK(std::abs(values[0] - left) < 1e-4);
    CHECK(std::abs(values[1] - right) < 1e-4);
  }
}

}  // namespace

TEST_CASE("the two ends have different values") {
  for (int place = 0; place < length; ++place)
    CHECK(expected_value(place, true) > expected_value(place, false) + .9);
}

TEST_CASE_TEMPLATE("Q-learning learns the chain's values", B, POLYQ_BACKENDS) {
  learn<B>(polyq::rule::QLearning{}, false);
  learn<B>(polyq::rule::QLearning{}, true);
}

TEST_CASE_TEMPLATE("double Q-learning learns the chain's values", B, POLYQ_BACKENDS) {
  learn<B>(polyq::rule::DoubleQLearning{}, false);
  learn<B>(polyq::rule::DoubleQLearning{}, true);
}
