// SPDX-License-Identifier: MIT
// A fork whose Q is known: what every rule learns equals it, in transitions of one step and of
// three, by plain networks, two streams and noisy layers; Munchausen's own fixed point.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <polyq/dqn/categorical.hpp>
#include <polyq/dqn/greedy.hpp>
#include <polyq/dqn/munchausen.hpp>
#include <polyq/dqn/quantile.hpp>
#include <polyq/nn/distributional.hpp>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/noisy.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>

#include "backends.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
namespace nn = polyq::nn;
namespace replay = polyq::replay;
namespace rule = polyq::rule;
using polyq::math::Schedule;

constexpr int places = 5;
constexpr float discount = .9f;

/// Place 0 is a fork: action 0 leads to 3 and on to 4, action 1 to 1 and on to 2, whatever is done
/// there. Leaving 3 is rewarded by .5, leaving 2 by 1. Behind 2 and 4 the episode is cut off, at 0.
/// It starts anywhere. Only the first action of an episode matters, so that rewards of three steps
/// do not depend on who acted, and every number of steps has the same values.
struct Fork {
  static constexpr const char* name = "Fork";
  static constexpr int observation_size = places, action_count = 2;

  struct State {
    int place;
  };
  POLYQ_HD State reset(core::Random random) const {
    return {int(core::below(random.words().word[0], places))};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    const int from = state.place;
    const bool cut = from == 2 || from == 4;
    state.place = cut ? 0 : from == 0 ? (action == 1 ? 1 : 3) : from + 1;
    return {from == 2 ? 1.f : from == 3 ? .5f : 0.f, false, cut};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    for (int place = 0; place < places; ++place) out[place] = place == state.place;
  }
};

using Table = std::array<std::array<double, 2>, places>;

/// Σ over the policy softmax(Q / temperature) of Q and its entropy; the largest where that is 0.
double soft_value(const std::array<double, 2>& q, double temperature) {
  const double largest = std::max(q[0], q[1]), gap = std::abs(q[0] - q[1]);
  return temperature > 0 ? largest + temperature * std::log1p(std::exp(-gap / temperature))
                         : largest;
}

/// The fixed point of Munchausen's operator, which without temperature and scaling is Q-learning's.
Table solved(double temperature = 0, double scaling = 0, double lowest = -1) {
  Table q{};
  for (int iteration = 0; iteration < 2'000; ++iteration) {
    Table better;
    for (int place = 0; place < places; ++place)
      for (int action = 0; action < 2; ++action) {
        Fork::State state{place};
        const double reward = Fork{}.step(state, action, core::Random{}).reward;
        const double log_policy = q[place][action] - soft_value(q[place], temperature);
        better[place][action] = reward + scaling * std::clamp(log_policy, lowest, 0.) +
                                discount * soft_value(q[state.place], temperature);
      }
    q = better;
  }
  return q;
}

/// Learns by steps of random actions, and compares.
template <class Network, class Replay, class Rule>
void learn(const Replay& replay, Rule rule, const Table& expected, double tolerance) {
  // The rate falls, so that the last steps leave no noise.
  polyq::Dqn agent(test::Fast{}, Network{}, replay,
                   polyq::optim::Adam{.rate = Schedule::linear(.01f, 1e-5f, 10'000)},
                   {.discount = discount, .exploration = 1.f, .tau = .05f}, rule);
  polyq::train(agent, Fork{},
               {.env_steps = 10'000,
                .warm_up_env_steps = 500,
                .evaluation_period_env_steps = 0,
                .report_episodes = 10});
  polyq::Greedy greedy(agent);
  double worst = 0;
  for (int place = 0; place < places; ++place) {
    std::array<float, places> observation{};
    observation[place] = 1;
    const std::array<float, 2> values = greedy.values(observation);
    for (int action = 0; action < 2; ++action)
      worst = std::max(worst, std::abs(values[action] - expected[place][action]));
  }
  CHECK(worst < tolerance);
}

// Ten of the last steps, of 1e-5 each; most errors are below 2e-5. A softmax gives up its last mass
// on far atoms slowly, of which 5e-4 are left.
constexpr double of_values = 1e-4, of_atoms = 2e-3;

using Uniform = replay::Uniform<32>;
const Uniform one_step{.capacity = 2'000};
const replay::NStep<3, Uniform> three_steps{one_step};

// Returns are up to 3.7.
constexpr int atoms = 13;
using Values = nn::Mlp<places, 16, 2>;
using Atoms = nn::DistributionalMlp<atoms, places, 16, 2>;

template <class Network, class Rule>
void learn_both(Rule rule, double tolerance) {
  learn<Network>(one_step, rule, solved(), tolerance);
  learn<Network>(three_steps, rule, solved(), tolerance);
}

}  // namespace

TEST_CASE("the table: a cut bootstraps, and the better way is to the right") {
  const Table q = solved();
  const double gamma = discount;
  const double start = gamma * gamma / (1 - gamma * gamma * gamma);
  CHECK(q[0][1] == doctest::Approx(start));
  CHECK(q[0][0] == doctest::Approx(gamma * .5 + gamma * gamma * gamma * start));
  for (int place = 1; place < places; ++place) CHECK(q[place][0] == q[place][1]);
  CHECK(q[2][0] == doctest::Approx(1 + gamma * start));
  CHECK(q[4][0] == doctest::Approx(gamma * start));
}

TEST_CASE("Q-learning, single and double") {
  learn_both<Values>(rule::QLearning{}, of_values);
  learn_both<Values>(rule::DoubleQLearning{}, of_values);
}

TEST_CASE("categorical, single and double") {
  learn_both<Atoms>(rule::Categorical<atoms>(-1, 5), of_atoms);
  learn_both<Atoms>(rule::DoubleCategorical<atoms>(-1, 5), of_atoms);
}

TEST_CASE("quantiles, single and double") {
  learn_both<Atoms>(rule::Quantile<atoms>(), of_values);
  learn_both<Atoms>(rule::DoubleQuantile<atoms>(), of_values);
}

TEST_CASE("Munchausen's own fixed point") {
  const rule::Munchausen<> soft{.temperature = .3f, .scaling = .5f, .lowest_log_policy = -.2f};
  const Table expected = solved(.3f, .5, -.2f);
  // It is another than Q-learning's, by the entropy and by the policy; and the clip acts.
  CHECK(std::abs(expected[1][0] - solved()[1][0]) > .1);
  CHECK(std::abs(expected[0][0] - solved(.3f, .5, -9)[0][0]) > .01);
  learn<Values>(one_step, soft, expected, of_values);
}

TEST_CASE("two streams") {
  learn_both<nn::DuelingMlp<places, 16, 2>>(rule::DoubleQLearning{}, of_values);
  using Streams = nn::Dueling<nn::Mlp<places, 16, atoms>, nn::Mlp<places, 16, 2 * atoms>>;
  learn_both<nn::Distributional<atoms, Streams>>(rule::DoubleCategorical<atoms>(-1, 5), of_atoms);
}

TEST_CASE("noisy layers, by their means") {
  learn_both<nn::NoisyMlp<places, 16, 2>>(rule::QLearning{}, of_values);
  using Noisy = nn::Distributional<atoms, nn::NoisyMlp<places, 16, 2 * atoms>>;
  learn_both<Noisy>(rule::DoubleCategorical<atoms>(-1, 5), of_atoms);
}
