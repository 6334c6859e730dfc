// SPDX-License-Identifier: MIT
// Dqn: an update beside Reference's for many shapes, with pads that stay zero; the target's copies;
// parameters in and out; a recording that follows the clock; the same seed, the same bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <span>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"

namespace {

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
namespace rule = polyq::rule;

/// How far a backend is from Reference, of each tensor's largest number.
struct Distance {
  double gradient, parameters, target;
  bool rows_equal, pads_zero;
  float largest_gradient;
};

/// Five updates of the same agent on Backend and on Reference.
template <class Backend, int B, class Network, class Optimizer = optim::Adam,
          class Rule = rule::QLearning<>>
Distance distance(const Network& network = {}, Optimizer optimizer = {}, Rule rule = {}) {
  using Replay = polyq::replay::Uniform<B>;
  using Agent = polyq::Dqn<Backend, Network, Replay, Optimizer, Rule>;
  using Oracle = polyq::Dqn<backend::Reference, Network, Replay, Optimizer, Rule>;
  Agent agent(Backend{}, network, {.capacity = 500}, optimizer, {}, rule);
  Oracle oracle({}, network, {.capacity = 500}, optimizer, {}, rule);
  test::fill(agent, 777);
  test::fill(oracle, 777);
  Distance d{0, 0, 0, true, true, 0};
  for (int update = 0; update < 5; ++update) {
    agent.update();
    oracle.update();
    const std::vector<float> gradient = oracle.parameters(oracle.gradient());
    if (update == 0)
      d.gradient = test::worst_tensor<Network>(agent.parameters(agent.gradient()), gradient);
    for (const float g : gradient) d.largest_gradient = std::max(d.largest_gradient, std::abs(g));
    d.rows_equal = d.rows_equal && test::batch_of(agent).rows == test::batch_of(oracle).rows;
  }
  d.parameters = test::worst_tensor<Network>(agent.parameters(), oracle.parameters());
  d.target = test::worst_tensor<Network>(agent.parameters(agent.target()),
                                         oracle.parameters(oracle.target()));
  std::vector<bool> is_pad(Agent::P, true);
  core::for_each_parameter(Network::template blocks<typename Agent::Storage>(),
                           [&](std::size_t, std::size_t at) { is_pad[at] = false; });
  for (const float* span : {agent.online(), agent.target(), agent.gradient()}) {
    const std::vector<float> padded = test::downloaded(agent.machine(), span, Agent::P);
    for (std::size_t i = 0; i < Agent::P; ++i)
      if (is_pad[i] && padded[i] != 0) d.pads_zero = false;
  }
  return d;
}

void check(const Distance& d) {
  CHECK(d.rows_equal);
  CHECK(d.pads_zero);
  CHECK(d.largest_gradient > 0);
  // Another order of at most 128 additions; single small elements differ by more of their own size.
  CHECK(d.gradient <= 2e-6);
  // Adam divides an element by its own size: one of a thousandth of its tensor's largest is off by
  // 2e-4 of itself, and five steps of 1e-3 so by 1e-6 in parameters of some 0.1.
  CHECK(d.parameters <= 2e-5);
  // It has taken five hundredths of the steps.
  CHECK(d.target <= 1e-6);
}

using Small = nn::Mlp<3, 18, 5>;  // both layers end in pads on EigenCpu
template <class B>
using SmallAgent = polyq::Dqn<B, Small, polyq::replay::Uniform<8>, optim::Adam>;

template <class B>
SmallAgent<B> small_agent(const polyq::DqnSettings& settings) {
  return SmallAgent<B>(B{}, {}, {.capacity = 100}, {.rate = .01f}, settings);
}

/// The backend without settings that hold inside recordings only.
template <class B>
B without_flush() {
  if constexpr (requires { B{.flush_denormals = false}; }) {
    return B{.flush_denormals = false};
  } else {
    return B{};
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a backend updates as Reference does: multilayer perceptrons", B,
                   POLYQ_BACKENDS) {
  SUBCASE("4-64-64-2, batch 64") { check(distance<B, 64, nn::Mlp<4, 64, 64, 2>>()); }
  SUBCASE("4-120-84-2, batch 128") { check(distance<B, 128, nn::Mlp<4, 120, 84, 2>>()); }
  SUBCASE("4-33-17-3 with tanh, batch 7") {
    check(distance<B, 7, nn::MlpOf<math::Tanh, 4, 33, 17, 3>>());
  }
  SUBCASE("5-31-18, batch 33") { check(distance<B, 33, nn::Mlp<5, 31, 18>>()); }
  SUBCASE("20-9-40-5, batch 13") { check(distance<B, 13, nn::Mlp<20, 9, 40, 5>>()); }
  SUBCASE("4-2, batch 5") { check(distance<B, 5, nn::Mlp<4, 2>>()); }
  SUBCASE("40-100-2, batch 1") { check(distance<B, 1, nn::Mlp<40, 100, 2>>()); }
  SUBCASE("4-1-16-2, batch 31") { check(distance<B, 31, nn::Mlp<4, 1, 16, 2>>()); }
}

TEST_CASE_TEMPLATE("a backend updates as Reference does: variants", B, POLYQ_BACKENDS) {
  using Network = nn::Mlp<4, 120, 84, 2>;
  SUBCASE("double Q-learning with Huber") {
    check(distance<B, 128, Network>({}, optim::Adam{}, rule::DoubleQLearning(math::Huber{})));
  }
  SUBCASE("clipped") { check(distance<B, 128, Network>({}, optim::Clipped{optim::Adam{}, .01f})); }
  SUBCASE("scaled observations") {
    using Scale = nn::Scale<20>;
    using Scaled = nn::Sequential<Scale, nn::Linear<20, 33, math::Relu>, nn::Linear<33, 3>>;
    std::array<float, 20> low, high;
    for (int o = 0; o < 20; ++o) {
      low[o] = -1 - float(o);
      high[o] = 2;
    }
    check(distance<B, 13>(
        Scaled{Scale::range(low, high), nn::Linear<20, 33, math::Relu>{}, nn::Linear<33, 3>{}}));
  }
}

TEST_CASE_TEMPLATE("with tau 1 the target is the online network of the last period's end", B,
                   POLYQ_BACKENDS) {
  SmallAgent<B> agent = small_agent<B>({.target_period_updates = 3, .tau = 1});
  test::fill(agent, 90);
  const std::vector<float> start = agent.parameters();
  CHECK(agent.parameters(agent.target()) == start);
  std::vector<float> copied = start;
  for (int update = 1; update <= 10; ++update) {
    agent.update();
    if (update % 3 == 0) copied = agent.parameters();
    CHECK((agent.parameters() == copied) == (update % 3 == 0));
    CHECK(agent.parameters(agent.target()) == copied);
  }
}

TEST_CASE_TEMPLATE("with tau below 1 the target is Polyak's average", B, POLYQ_BACKENDS) {
  for (const int period : {1, 2}) {
    CAPTURE(period);
    SmallAgent<B> agent =
        small_agent<B>({.target_period_updates = std::uint64_t(period), .tau = .25f});
    test::fill(agent, 90);
    std::vector<float> average = agent.parameters();
    for (int update = 1; update <= 10; ++update) {
      agent.update();
      const std::vector<float> online = agent.parameters();
      const std::vector<float> target = agent.parameters(agent.target());
      for (std::size_t i = 0; i < average.size(); ++i) {
        if (update % period == 0) average[i] += .25f * (online[i] - average[i]);
        // Contracted or not, the last rounding is 6e-8 of a number below 1; τ keeps their sum
        // below four of them.
        CHECK(std::abs(target[i] - average[i]) <= 2.4e-7f);
      }
    }
    CHECK(agent.parameters() != agent.parameters(agent.target()));
  }
}

TEST_CASE_TEMPLATE("parameters go in and come out in PyTorch's order", B, POLYQ_BACKENDS) {
  using Agent = SmallAgent<B>;
  Agent agent = small_agent<B>({});
  std::vector<float> numbers(Small::parameter_count);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = float(i + 1);
  agent.set_parameters(numbers);
  CHECK(agent.parameters() == numbers);
  CHECK(agent.parameters(agent.target()) == numbers);

  // weight [18, 3] row by row, bias [18], weight [5, 18], bias [5].
  const auto blocks = Small::template blocks<typename Agent::Storage>();
  const std::vector<float> padded = test::downloaded(agent.machine(), agent.online(), Agent::P);
  CHECK(padded[blocks[0].at(2, 1)] == 1 + 2 * 3 + 1);
  CHECK(padded[blocks[1].at(17, 0)] == 1 + 54 + 17);
  CHECK(padded[blocks[2].at(4, 2)] == 1 + 72 + 4 * 18 + 2);
  CHECK(padded[blocks[3].at(0, 0)] == 1 + 72 + 90);
  float sum = 0, expected = 0;
  for (const float number : padded) sum += number;
  for (const float number : numbers) expected += number;
  CHECK(sum == expected);  // whole numbers below 2^24: pads are zero

  const auto refusal = [&](std::size_t count) -> std::string {
    try {
      agent.set_parameters(std::vector<float>(count));
    } catch (const polyq::SettingsError& error) {
      return error.what();
    }
    return "nothing";
  };
  CHECK(refusal(166) == "polyq: number of parameters = 166; allowed: 167, the network's");
  CHECK(refusal(168) == "polyq: number of parameters = 168; allowed: 167, the network's");
  CHECK(agent.parameters() == numbers);
}

TEST_CASE_TEMPLATE("a seed draws the same parameters on every backend, in PyTorch's range", B,
                   POLYQ_BACKENDS) {
  SmallAgent<B> agent = small_agent<B>({.seed = 3}), other = small_agent<B>({.seed = 4});
  SmallAgent<backend::Reference> oracle = small_agent<backend::Reference>({.seed = 3});
  CHECK(agent.parameters() == oracle.parameters());
  CHECK(agent.parameters() != other.parameters());
  const std::vector<float> drawn = agent.parameters();
  for (std::size_t i = 0; i < drawn.size(); ++i)
    CHECK(std::abs(drawn[i]) <= 1 / std::sqrt(i < 72 ? 3.f : 18.f));  // 3·18 + 18, then 18·5 + 5
}

TEST_CASE_TEMPLATE("a recording follows the clock: ten updates equal ten enqueued ones", B,
                   POLYQ_BACKENDS) {
  // Everything that a recording could freeze by mistake: the draws, a schedule, bias corrections,
  // the target's period.
  const polyq::DqnSettings settings{.target_period_updates = 3, .tau = .5f};
  const optim::Adam adam{.rate = math::Schedule::linear(.1f, .001f, 100)};
  const auto make = [&] {
    return SmallAgent<B>(without_flush<B>(), {}, {.capacity = 200}, adam, settings);
  };
  SmallAgent<B> recorded = make(), enqueued = make();
  test::fill(recorded, 50);
  test::fill(enqueued, 50);
  for (int update = 0; update < 10; ++update) {
    recorded.update();
    enqueued.enqueue_update();
    CHECK(test::state_of(recorded) == test::state_of(enqueued));
    for (auto* agent : {&recorded, &enqueued})
      agent->machine().for_each(1, core::Tick{agent->clock(), 3, 0});
  }
  CHECK(test::clock_of(recorded).updates == 10);
  CHECK(test::clock_of(recorded).env_steps == 80);
}

TEST_CASE_TEMPLATE("the same seed gives the same bits, another seed others", B, POLYQ_BACKENDS) {
  const auto run = [](std::uint64_t seed) {
    SmallAgent<B> agent = small_agent<B>({.seed = seed});
    test::fill(agent, 90);
    for (int update = 0; update < 100; ++update) agent.update();
    return test::state_of(agent);
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

TEST_CASE_TEMPLATE("an update before anything is attached is refused and leaves no trace", B,
                   POLYQ_BACKENDS) {
  SmallAgent<B> agent = small_agent<B>({}), unspoiled = small_agent<B>({});
  CHECK_THROWS_AS(agent.update(), polyq::DeviceError);
  CHECK(test::clock_of(agent).updates == 0);
  test::fill(agent, 20);
  test::fill(unspoiled, 20);
  for (int update = 0; update < 3; ++update) {
    agent.update();
    unspoiled.update();
  }
  CHECK(test::state_of(agent) == test::state_of(unspoiled));
}

TEST_CASE_TEMPLATE("an update learns: the error on a fixed replay falls", B, POLYQ_BACKENDS) {
  SmallAgent<B> agent = small_agent<B>({.discount = 0});
  test::fill(agent, 90);
  const auto error = [&] {
    agent.update();
    double squares = 0;
    for (const float td : test::td_of(agent)) squares += td * td / 8;
    return squares;
  };
  const double first = error();
  for (int update = 0; update < 1'000; ++update) agent.update();
  double last = 0;
  for (int update = 0; update < 10; ++update) last += error() / 10;
  CHECK(first > .1);  // the reward, uniform in ±1, has variance 1/3
  // It is the first feature: a linear function, which the network can hold.
  CHECK(last < first / 50);
}
