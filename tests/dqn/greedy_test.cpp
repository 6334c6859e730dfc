// SPDX-License-Identifier: MIT
// Greedy: the values and the argmax of a plain forward, written out here, of the parameters as
// they are at the call.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <polyq/core/random.hpp>
#include <polyq/dqn/greedy.hpp>
#include <polyq/math/action_mask.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"

namespace {

namespace core = polyq::core;

template <class B, class Network>
using AgentOf = polyq::Dqn<B, Network, polyq::replay::Uniform<8>, polyq::optim::Sgd>;

/// Q of an O-H-A network with ReLU from its packed parameters, in double.
template <int O, int H, int A>
std::array<double, A> plain_forward(const std::vector<float>& parameters,
                                    const std::array<float, O>& observation) {
  const float* weight = parameters.data();
  const float* bias = weight + H * O;
  std::array<double, H> hidden;
  for (int h = 0; h < H; ++h) {
    hidden[h] = bias[h];
    for (int o = 0; o < O; ++o) hidden[h] += double(weight[h * O + o]) * observation[o];
    hidden[h] = hidden[h] > 0 ? hidden[h] : 0;
  }
  weight = bias + H;
  bias = weight + A * H;
  std::array<double, A> values;
  for (int a = 0; a < A; ++a) {
    values[a] = bias[a];
    for (int h = 0; h < H; ++h) values[a] += weight[a * H + h] * hidden[h];
  }
  return values;
}

template <class B, int O, int H, int A>
void compare_with_plain_forward() {
  AgentOf<B, polyq::nn::Mlp<O, H, A>> agent(B{}, {}, {.capacity = 100}, {.rate = .1f});
  test::fill(agent, 100);
  polyq::Greedy greedy(agent);
  std::array<int, A> chosen{};
  int different = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    if (i == 100)  // it sees what was learned meanwhile
      for (int update = 0; update < 50; ++update) agent.update();
    std::array<float, O> observation;
    for (int o = 0; o < O; ++o)
      observation[o] =
          4 * core::uniform(core::philox(3, core::Stream::noise, i, std::uint32_t(o)).word[0]) - 2;
    const std::array<double, A> expected = plain_forward<O, H, A>(agent.parameters(), observation);
    const std::array<float, A> values = greedy.values(observation);
    int best = 0;
    for (int a = 0; a < A; ++a) {
      // Sums of up to 40 terms below 2: 40 roundings of at most 1.2e-7 each.
      CHECK(std::abs(values[a] - expected[a]) < 5e-6);
      if (expected[a] > expected[best]) best = a;
    }
    different += greedy(observation) != best;
    ++chosen[best];
  }
  CHECK(different == 0);
  CHECK(chosen[0] < 200);
  CHECK(chosen[A - 1] < 200);
}

}  // namespace

TEST_CASE_TEMPLATE("values and action are a plain forward's", B, POLYQ_BACKENDS) {
  compare_with_plain_forward<B, 4, 16, 2>();
  compare_with_plain_forward<B, 18, 40, 3>();  // observations that end in pads on EigenCpu
  compare_with_plain_forward<B, 3, 16, 18>();  // and outputs
}

TEST_CASE_TEMPLATE("among equal values the lowest index is chosen", B, POLYQ_BACKENDS) {
  AgentOf<B, polyq::nn::Mlp<2, 3>> agent(B{}, {}, {.capacity = 100}, {});
  // Weights 0; biases 1, 5, 5.
  agent.set_parameters(std::vector<float>{0, 0, 0, 0, 0, 0, 1, 5, 5});
  polyq::Greedy greedy(agent);
  const std::array<float, 2> observation{.5f, -.5f};
  CHECK(greedy.values(observation) == std::array<float, 3>{1, 5, 5});
  CHECK(greedy(observation) == 1);
}

TEST_CASE_TEMPLATE("of the legal actions the best, whatever the others are worth", B,
                   POLYQ_BACKENDS) {
  constexpr int A = 40;
  AgentOf<B, polyq::nn::Mlp<2, A>> agent(B{}, {}, {.capacity = 100}, {});
  std::vector<float> parameters(2 * A);  // weights 0; biases 0, 1, … 39
  for (int a = 0; a < A; ++a) parameters.push_back(float(a));
  agent.set_parameters(parameters);
  polyq::Greedy greedy(agent);
  const std::array<float, 2> observation{.5f, -.5f};
  CHECK(greedy(observation) == 39);
  polyq::math::ActionMask<A> mask;
  CHECK_THROWS_WITH_AS(greedy(observation, mask),
                       "polyq: number of legal actions = 0; allowed: >= 1", polyq::SettingsError);
  for (const int next : {0, 3, 31, 32, 38}) {
    mask.allow(next);
    CHECK(greedy(observation, mask) == next);
  }
}

TEST_CASE_TEMPLATE("it moves neither clock nor parameters nor the batch", B, POLYQ_BACKENDS) {
  AgentOf<B, polyq::nn::Mlp<4, 16, 2>> agent(B{}, {}, {.capacity = 100}, {});
  AgentOf<B, polyq::nn::Mlp<4, 16, 2>> unasked(B{}, {}, {.capacity = 100}, {});
  test::fill(agent, 50);
  test::fill(unasked, 50);
  polyq::Greedy greedy(agent);
  for (int update = 0; update < 10; ++update) {
    greedy(std::array<float, 4>{1, 2, 3, float(update)});
    agent.update();
    unasked.update();
  }
  CHECK(agent.parameters() == unasked.parameters());
  CHECK(test::clock_of(agent).updates == 10);
  CHECK(test::clock_of(agent).env_steps == 50);
}

TEST_CASE_TEMPLATE("an observation that is not finite is refused by its index", B, POLYQ_BACKENDS) {
  AgentOf<B, polyq::nn::Mlp<2, 3>> agent(B{}, {}, {.capacity = 100}, {});
  polyq::Greedy greedy(agent);
  CHECK_THROWS_WITH_AS(greedy(std::array<float, 2>{0, std::nanf("")}),
                       "polyq: observation[1] = nan; allowed: finite numbers",
                       polyq::SettingsError);
}
