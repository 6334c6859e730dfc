// SPDX-License-Identifier: MIT
// The least that a user's environment may be: it meets the concept, runs vectorized, and is
// refused when something is missing; a goal is read where one is named.
#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/concept.hpp>
#include <polyq/env/vectorized.hpp>
#include <vector>

#include "backends.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

/// A user's environment: a walk on a line, until `limit` steps to either side.
struct Walk {
  static constexpr const char* name = "Walk";
  static constexpr int observation_size = 1, action_count = 2;
  int limit = 3;

  struct State {
    int position;
  };
  State reset(core::Random) const { return {0}; }
  env::Outcome step(State& state, std::int32_t action, core::Random) const {
    state.position += action == 1 ? 1 : -1;
    return {float(state.position), state.position == limit, state.position == -limit};
  }
  void observe(const State& state, float* out) const { out[0] = float(state.position); }
};

struct WalkWithGoal : Walk {
  static constexpr env::Goal goal{.solved = 5, .stop = 6};
};

struct Unnamed : Walk {
  void name() const;
};
struct Changing : Walk {  // its step changes the environment itself, which every lane shares
  env::Outcome step(State& state, std::int32_t action, core::Random);
};
struct Owning : Walk {  // cannot be copied to a device
  std::vector<int> track;
};
struct OwningState : Walk {
  struct State {
    std::vector<int> track;
  };
  State reset(core::Random) const;
  env::Outcome step(State&, std::int32_t, core::Random) const;
  void observe(const State&, float*) const;
};
struct Rewarding : Walk {  // returns a reward alone
  float step(State&, std::int32_t, core::Random) const;
};
struct Blind : Walk {
  void observe(const State&) const;
};

template <class Machine, int O, int N>
using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, N>;

/// Offers no environments for evaluation.
struct Unevaluated : env::Vectorized<Walk, 3> {
  void evaluation() = delete;
};

}  // namespace

TEST_CASE("the concept takes the library's environment and a user's, and no broken one") {
  static_assert(env::Environment<env::CartPole>);
  static_assert(env::Environment<env::CartPoleOf<double>>);
  static_assert(env::Environment<Walk>);
  static_assert(env::Environment<WalkWithGoal>);
  static_assert(!env::Environment<Unnamed>);
  static_assert(!env::Environment<Changing>);
  static_assert(!env::Environment<Owning>);
  static_assert(!env::Environment<OwningState>);
  static_assert(!env::Environment<Rewarding>);
  static_assert(!env::Environment<Blind>);
  static_assert(!env::Environment<int>);
}

TEST_CASE("a goal is the environment's own, where it names one") {
  static_assert(!env::goal_of<Walk>());
  static_assert(env::goal_of<WalkWithGoal>()->solved == 5);
  static_assert(env::goal_of<WalkWithGoal>()->stop == 6);
  static_assert(env::goal_of<env::CartPole>()->solved == 475);
}

TEST_CASE_TEMPLATE("environments step together on a machine", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using Three = Observations<Machine, 1, 3>;
  static_assert(env::EnvironmentsOn<env::Vectorized<Walk, 3>, Machine, Three>);
  static_assert(
      env::EnvironmentsOn<env::Vectorized<env::CartPole, 3>, Machine, Observations<Machine, 4, 3>>);
  static_assert(!env::EnvironmentsOn<Unevaluated, Machine, Three>);
  static_assert(!env::EnvironmentsOn<Walk, Machine, Three>);

  Machine machine{B{}};
  core::Clock clock{};
  typename env::Vectorized<Walk, 3>::template On<Machine> on(machine, {{.limit = 2}}, 1);
  float now[Three::stride * 3] = {9, 9, 9}, next[Three::stride * 3] = {}, rewards[3] = {};
  std::uint8_t terminated[3] = {}, truncated[3] = {};
  const std::int32_t actions[3] = {1, 0, 1};
  on.reset(machine, &clock, Three{now});
  for (int e = 0; e < 3; ++e) CHECK(Three{now}(0, e) == 0);
  for (int step = 1; step <= 2; ++step, clock.env_steps += 3) {
    on.step(machine, &clock, actions,
            env::Stepped<Three>{{next}, {now}, rewards, terminated, truncated},
            polyq::backend::Nothing{});
    for (int e = 0; e < 3; ++e) {
      const float position = float(e == 1 ? -step : step);
      CHECK(Three{next}(0, e) == position);
      CHECK(Three{now}(0, e) == (step == 2 ? 0 : position));
      CHECK(rewards[e] == position);
      CHECK(bool(terminated[e]) == (step == 2 && e != 1));
      CHECK(bool(truncated[e]) == (step == 2 && e == 1));
    }
  }
}
