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
#include "rows.hpp"

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
  POLYQ_HD State reset(core::Random) const { return {0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    state.position += action == 1 ? 1 : -1;
    return {float(state.position), state.position == limit, state.position == -limit};
  }
  POLYQ_HD void observe(const State& state, float* out) const { out[0] = float(state.position); }
};

struct WalkWithGoal : Walk {
  static constexpr env::Goal goal{.solved = 5, .stop = 6};
};

struct Unnamed : Walk {
  void name() const;
};
struct Changing : Walk {  // its step changes the environment itself, which every lane shares
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random);
};
struct Owning : Walk {  // cannot be copied to a device
  std::vector<int> track;
};
struct OwningState : Walk {
  struct State {
    std::vector<int> track;
  };
  POLYQ_HD State reset(core::Random) const;
  POLYQ_HD env::Outcome step(State&, std::int32_t, core::Random) const;
  POLYQ_HD void observe(const State&, float*) const;
};
struct Rewarding : Walk {  // returns a reward alone
  float step(State&, std::int32_t, core::Random) const;
};
struct Blind : Walk {
  POLYQ_HD void observe(const State&) const;
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
  const auto clock = test::uploaded(machine, std::vector<core::Clock>(1));
  typename env::Vectorized<Walk, 3>::template On<Machine> on(machine, {{.limit = 2}}, 1);
  test::HostRows<Three> start;
  start.actions = {1, 0, 1};
  for (int e = 0; e < 3; ++e) start.observations(0, e) = 9;
  const test::RowsOn<Machine, Three> memory(machine, start);
  const auto rows = memory.view();
  const env::Stepped<Three> out{rows.next, rows.observations, rows.rewards, rows.terminated,
                                rows.truncated};
  on.reset(machine, clock.get(), out);
  const auto first = test::downloaded(machine, rows.observations);
  for (int e = 0; e < 3; ++e) CHECK(first(0, e) == 0);
  for (int step = 1; step <= 2; ++step) {
    on.step(machine, clock.get(), rows.actions, out, polyq::backend::Nothing{});
    machine.for_each(1, core::Tick{clock.get(), 3, 0});
    const auto made = memory.download(machine);
    for (int e = 0; e < 3; ++e) {
      const float position = float(e == 1 ? -step : step);
      CHECK(made.next(0, e) == position);
      CHECK(made.observations(0, e) == (step == 2 ? 0 : position));
      CHECK(made.rewards[e] == position);
      CHECK(bool(made.terminated[e]) == (step == 2 && e != 1));
      CHECK(bool(made.truncated[e]) == (step == 2 && e == 1));
    }
  }
}
