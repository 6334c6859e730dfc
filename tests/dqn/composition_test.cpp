// SPDX-License-Identifier: MIT
// Composition: policies written by a user make an agent beside the library's; what does not fit is
// named by the first rung that fails; the static facts of an agent.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <polyq/dqn/actor.hpp>
#include <polyq/dqn/composition.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/math/items.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/uniform.hpp>
#include <type_traits>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "twin.hpp"

namespace {

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace env = polyq::env;
using test::Twin;
namespace math = polyq::math;
namespace nn = polyq::nn;
using polyq::Rung;

/// A user's optimizer: each parameter a fixed step against the gradient's sign.
struct SignDescent {
  float step_size = .001f;

  struct Element {
    float* parameters;
    const float* gradient;
    float step_size;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      using V = typename Lane::Value;
      using math::where_positive;  // and what a packet brings beside it
      const V g = i.load(gradient), step(step_size);
      i.store(parameters,
              i.load(parameters) - where_positive(g, step) + where_positive(V(0.f) - g, step));
    }
  };
  template <class Machine, class Shapes>
  struct On {
    static constexpr std::size_t state_size = 0;
    float step_size;
    On(const SignDescent& settings, float* /*state*/) : step_size(settings.step_size) {}
    template <class After>
    void step(Machine& machine, float* parameters, const float* gradient, const core::Clock*,
              After after) {
      const Element element{parameters, gradient, step_size};
      machine.for_each_element(Shapes::P, backend::Then{element, after});
    }
  };
};

/// A user's rule: the mean value of s' instead of the largest (Sarsa under a random policy).
struct MeanValue {
  static constexpr bool reads_online_next = false;
  template <class Network>
  static constexpr bool accepts = Network::out == Network::action_count;
  void check() const {}
  template <int A>
  POLYQ_HD static const float* values(const float* output, float* /*room*/) {
    return output;
  }
  template <int A>
  POLYQ_HD float learn(const polyq::rule::Sample& s, float scale, float* gradient) const {
    float mean = 0;
    for (int a = 0; a < A; ++a) mean += s.next[a] / A;
    const float error = s.now[s.action] - (s.reward + s.discount * mean);
    for (int a = 0; a < A; ++a) gradient[a] = a == s.action ? 2 * scale * error : 0.f;
    return error;
  }
};

/// A user's rule that a team shares, with a float of scratch for each action: the same.
struct MeanValueByTeam : MeanValue {
  template <int A>
  static constexpr int room = A;

  struct Share {
    float* to;
    const float* next;
    float count;
    POLYQ_HD void operator()(int a) const { to[a] = next[a] / count; }
  };
  struct Slope {
    float* gradient;
    int action;
    float slope;
    POLYQ_HD void operator()(int a) const { gradient[a] = a == action ? slope : 0.f; }
  };
  template <int A, class Team>
  POLYQ_HD float learn(const Team& team, const polyq::rule::Sample& s, float scale, float* gradient,
                       float* room) const {
    team.for_each(A, Share{room, s.next, float(A)});
    const float mean = team.sum(A, math::Element{room});
    const float error = s.now[s.action] - (s.reward + s.discount * mean);
    team.for_each(A, Slope{gradient, s.action, 2 * scale * error});
    return error;
  }
};

/// A user's environment: five steps, rewarded for repeating the last action.
struct Repeat {
  static constexpr const char* name = "Repeat";
  static constexpr int observation_size = 2, action_count = 2;
  struct State {
    int last, steps;
  };
  POLYQ_HD State reset(core::Random random) const { return {int(random.words().word[0] % 2), 0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    const float reward = action == state.last ? 1.f : 0.f;
    state = {action, state.steps + 1};
    return {reward, state.steps == 5, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.last);
    out[1] = float(state.steps);
  }
};

// What does not fit, one thing wrong in each.
struct Unweighted {
  static constexpr int batch_size = 8;
};
struct Unsampled : Unweighted {
  static constexpr int steps = 1;
  static constexpr bool weighted = false;
};
struct Layerless {
  static constexpr int observation_size = 2, action_count = 2, out = 2;
};
struct Picky : MeanValue {
  template <class Network>
  static constexpr bool accepts = false;
};
struct OneStep : MeanValue {
  static constexpr bool one_step = true;
};
struct Ranked {
  int rank() const;
  int size() const;
};
struct Faraway : Twin {
  static constexpr bool reaches(backend::Memory) { return false; }
};
struct Mute : Twin {
  void all_reduce_sum() const;
};
struct ThreeActions : Repeat {
  static constexpr int action_count = 3;
};
struct ThreeFeatures : Repeat {
  static constexpr int observation_size = 3;
};

using Network = nn::Mlp<2, 8, 2>;
using Replay = polyq::replay::Uniform<8>;
template <int Steps>
using NStep = polyq::replay::NStep<Steps, Replay>;
using Sgd = polyq::optim::Sgd;
using QLearning = polyq::rule::QLearning<>;
using None = polyq::comm::None;

}  // namespace

TEST_CASE_TEMPLATE("a user's policies make an agent, alone and together", B, POLYQ_BACKENDS) {
  static_assert(polyq::ComposesDqn<B, Network, Replay, Sgd, QLearning, None>);
  static_assert(polyq::ComposesDqn<B, Network, Replay, SignDescent, QLearning, None>);
  static_assert(polyq::ComposesDqn<B, Network, Replay, Sgd, MeanValue, None>);
  static_assert(polyq::ComposesDqn<B, Network, Replay, Sgd, MeanValueByTeam, None>);
  static_assert(polyq::ComposesDqn<B, Network, Replay, Sgd, QLearning, Twin>);
  static_assert(polyq::ComposesDqn<B, Network, Replay, SignDescent, MeanValue, Twin>);
}

TEST_CASE_TEMPLATE("the first rung that fails names what is wrong", B, POLYQ_BACKENDS) {
  using polyq::first_wrong;
  static_assert(first_wrong<B, Network, Replay, Sgd, QLearning, None>() == Rung::none);
  static_assert(first_wrong<int, Network, Replay, Sgd, QLearning, None>() == Rung::backend);
  static_assert(first_wrong<B, int, Replay, Sgd, QLearning, None>() == Rung::network);
  static_assert(first_wrong<B, Network, int, Sgd, QLearning, None>() == Rung::replay);
  static_assert(first_wrong<B, Network, Unweighted, Sgd, QLearning, None>() == Rung::replay);
  static_assert(first_wrong<B, Network, Replay, Sgd, int, None>() == Rung::rule);
  static_assert(first_wrong<B, Network, Replay, Sgd, QLearning, int>() == Rung::communicator);
  static_assert(first_wrong<B, Network, Replay, Sgd, QLearning, Ranked>() == Rung::communicator);
  static_assert(first_wrong<B, Layerless, Replay, Sgd, QLearning, None>() == Rung::layer);
  static_assert(first_wrong<B, Network, Unsampled, Sgd, QLearning, None>() == Rung::replay_on);
  static_assert(first_wrong<B, Network, Replay, int, QLearning, None>() == Rung::optimizer);
  static_assert(first_wrong<B, Network, Replay, Sgd, Picky, None>() == Rung::rule_output);
  static_assert(first_wrong<B, Network, Replay, Sgd, OneStep, None>() == Rung::none);
  static_assert(first_wrong<B, Network, NStep<1>, Sgd, OneStep, None>() == Rung::none);
  static_assert(first_wrong<B, Network, NStep<3>, Sgd, MeanValue, None>() == Rung::none);
  static_assert(first_wrong<B, Network, NStep<3>, Sgd, OneStep, None>() == Rung::rule_steps);
  static_assert(first_wrong<B, Network, NStep<3>, Sgd, OneStep, Faraway>() == Rung::rule_steps);
  static_assert(first_wrong<B, Network, Replay, Sgd, QLearning, Faraway>() == Rung::reach);
  static_assert(first_wrong<B, Network, Replay, Sgd, QLearning, Mute>() == Rung::communicator_on);
  // Of several faults the smallest part is named.
  static_assert(first_wrong<B, int, int, int, int, int>() == Rung::network);
  static_assert(!polyq::ComposesDqn<B, Network, Replay, int, QLearning, None>);
}

TEST_CASE_TEMPLATE("environments fit an agent of their sizes only", B, POLYQ_BACKENDS) {
  using Agent = polyq::Dqn<B, Network, Replay, Sgd>;
  static_assert(polyq::FitsAgent<env::Vectorized<Repeat, 1>, Agent>);
  static_assert(polyq::FitsAgent<env::Vectorized<Repeat, 16>, Agent>);
  static_assert(!polyq::FitsAgent<env::Vectorized<ThreeActions, 1>, Agent>);
  static_assert(!polyq::FitsAgent<env::Vectorized<ThreeFeatures, 1>, Agent>);
  static_assert(!polyq::FitsAgent<env::Vectorized<env::CartPole, 1>, Agent>);
}

TEST_CASE_TEMPLATE("the static facts of an agent", B, POLYQ_BACKENDS) {
  using Agent = polyq::Dqn<B, nn::Mlp<4, 64, 33, 3>, polyq::replay::Uniform<7>, Sgd>;
  static_assert(Agent::O == 4 && Agent::A == 3 && Agent::B == 7);
  constexpr std::size_t count = 4 * 64 + 64 + 64 * 33 + 33 + 33 * 3 + 3;
  static_assert(Agent::NetworkType::parameter_count == count);
  static_assert(Agent::P >= count && Agent::P % Agent::Storage::granule == 0);
  static_assert(!std::is_same_v<B, backend::Reference> || Agent::P == count);
  static_assert(Agent::template Observations<5>::rows == 4);
  static_assert(Agent::template Observations<5>::columns == 5);
  static_assert(Agent::template Outputs<5>::rows == 3);
  static_assert(!std::is_copy_constructible_v<Agent> && !std::is_move_constructible_v<Agent>);
  static_assert(!std::is_copy_assignable_v<Agent> && !std::is_move_assignable_v<Agent>);
}

TEST_CASE_TEMPLATE("an agent of a user's policies learns in a user's environment", B,
                   POLYQ_BACKENDS) {
  polyq::Dqn agent(B{}, Network{}, Replay{.capacity = 1'000}, SignDescent{.step_size = .002f},
                   {.discount = .5f, .exploration = 1.f, .tau = .1f}, MeanValue{}, Twin{});
  polyq::Actor actor(agent, env::Vectorized<Repeat, 2>{});
  for (int step = 0; step < 500; ++step) actor.enqueue_step();
  float first = 0, last = 0;
  for (int update = 0; update < 2'000; ++update) {
    agent.update();
    float squares = 0;
    for (const float td : test::td_of(agent)) squares += td * td / 8;
    (update < 100 ? first : last) += update < 100 || update >= 1'900 ? squares / 100 : 0.f;
  }
  // Q of this walk is within reach of the network; steps of .002 leave errors of some .05.
  CHECK(first > .05f);
  CHECK(last < first / 4);
}

TEST_CASE_TEMPLATE("a rule by a team learns what it learns by a worker", B, POLYQ_BACKENDS) {
  const auto gradient = [](auto rule) {
    polyq::Dqn agent(B{}, Network{}, Replay{.capacity = 100}, Sgd{.rate = .25f}, {}, rule);
    test::fill(agent, 50);
    agent.update();
    return agent.parameters(agent.gradient());
  };
  // Two halves and their sum are exact but for their one rounding, in either order.
  CHECK(gradient(MeanValueByTeam{}) == gradient(MeanValue{}));
}

TEST_CASE_TEMPLATE("the gradient is the mean over ranks, summed once, before the optimizer", B,
                   POLYQ_BACKENDS) {
  const auto gradient_and_parameters = [](auto communicator) {
    polyq::Dqn agent(B{}, Network{}, Replay{.capacity = 100}, Sgd{.rate = .25f}, {}, QLearning{},
                     communicator);
    test::fill(agent, 50);
    const std::vector<float> before = agent.parameters();
    agent.update();
    std::vector<float> moved = agent.parameters();
    const std::vector<float> gradient = agent.parameters(agent.gradient());
    // Parameters are below 1: a step rounds twice, each time by at most 6e-8.
    for (std::size_t i = 0; i < moved.size(); ++i)
      CHECK(moved[i] == doctest::Approx(before[i] - .25f * gradient[i]).epsilon(1.2e-7));
    return gradient;
  };
  const std::vector<float> alone = gradient_and_parameters(None{});
  const std::vector<float> twice = gradient_and_parameters(Twin{});
  float largest = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    CHECK(twice[i] == alone[i]);  // the twin adds the same half; powers of two are exact
    largest = std::max(largest, std::abs(alone[i]));
  }
  CHECK(largest > 0);
}
