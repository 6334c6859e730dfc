// SPDX-License-Identifier: MIT
// Vectorized: lanes are reset as they end and s' is from before the reset; no two resets or steps
// share their draws; states are equal on all backends.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <set>
#include <tuple>
#include <vector>

#include "backends.hpp"
#include "lanes.hpp"
#include "masked.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
using test::Lanes;

/// Shows the draws it was given: of its last reset and of its last step. An episode is 1 to 4
/// steps long.
struct Draws {
  static constexpr const char* name = "Draws";
  static constexpr int observation_size = 9, action_count = 2;
  int bonus = 0;

  struct State {
    core::Random reset, step;
    std::int32_t action;
    int age, length;
  };
  POLYQ_HD State reset(core::Random random) const {
    const int length = 1 + int(core::below(random.words().word[0], 4));
    return {random, {}, -1, 0, length};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random random) const {
    state.step = random;
    state.action = action;
    ++state.age;
    const bool ends = state.age == state.length;
    // At length 3 both flags are set, at length 4 the episode is truncated.
    return {float(state.age + bonus), ends && state.length < 4, ends && state.length > 2};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.reset.stream);
    out[1] = float(state.reset.step);
    out[2] = float(state.reset.lane);
    out[3] = float(state.step.stream);
    out[4] = float(state.step.step);
    out[5] = float(state.step.lane);
    out[6] = float(state.action);
    out[7] = float(state.age);
    out[8] = float(state.length);
  }
};

std::vector<std::int32_t> actions_of(int step, int count) {
  std::vector<std::int32_t> actions(count);
  for (int e = 0; e < count; ++e) actions[e] = (step / 3 + e) % 2;
  return actions;
}

}  // namespace

TEST_CASE_TEMPLATE("a lane that ended is reset at once; s' is from before, the next s from after",
                   B, POLYQ_BACKENDS) {
  Lanes<B, Draws, 4> lanes(11);
  int ended[4] = {}, kept_going = 0, both = 0;
  for (int step = 0; step < 300; ++step) {
    std::vector<float> age(4), length(4);
    for (int e = 0; e < 4; ++e) {
      age[e] = lanes.now(7, e);
      length[e] = lanes.now(8, e);
    }
    const std::vector<std::int32_t> actions = actions_of(step, 4);
    lanes.step(actions);
    for (int e = 0; e < 4; ++e) {
      CHECK(lanes.next(6, e) == float(actions[e]));
      CHECK(lanes.next(7, e) == age[e] + 1);
      CHECK(lanes.next(8, e) == length[e]);
      CHECK(lanes.rewards[e] == age[e] + 1);
      const bool ends = age[e] + 1 == length[e];
      CHECK(bool(lanes.terminated[e]) == (ends && length[e] <= 3));
      CHECK(bool(lanes.truncated[e]) == (ends && length[e] == 4));  // never both, at length 3 too
      both += ends && length[e] == 3;
      if (ends) {
        ++ended[e];
        CHECK(lanes.now(7, e) == 0);
        CHECK(lanes.now(6, e) == -1);
      } else {
        ++kept_going;
        for (int o = 0; o < 9; ++o) CHECK(lanes.now(o, e) == lanes.next(o, e));
      }
    }
  }
  for (const int count : ended) CHECK(count > 50);
  CHECK(kept_going > 400);
  CHECK(both > 50);
}

TEST_CASE_TEMPLATE("the functor behind a step reads what its lane wrote", B, POLYQ_BACKENDS) {
  Lanes<B, Draws, 4> lanes(11);
  for (int step = 0; step < 30; ++step) {
    lanes.step(actions_of(step, 4));
    for (int e = 0; e < 4; ++e) {
      CHECK(lanes.seen[4 * e] == lanes.rewards[e]);
      CHECK(lanes.seen[4 * e + 1] == lanes.next(0, e));
      CHECK(lanes.seen[4 * e + 2] == lanes.terminated[e]);
      CHECK(lanes.seen[4 * e + 3] == lanes.truncated[e]);
    }
  }
}

TEST_CASE_TEMPLATE("no two resets and no two steps share their draws", B, POLYQ_BACKENDS) {
  Lanes<B, Draws, 4> lanes(11, {}, 400);
  using Place = std::pair<float, float>;  // env step, lane
  std::set<Place> resets, steps;
  std::set<float> lengths;
  int reset_count = 0, step_count = 0;
  const auto meet_reset = [&](int e) {
    CHECK(lanes.now(0, e) == float(core::Stream::environment_reset));
    CHECK(lanes.now(1, e) == float(lanes.clock.env_steps));
    CHECK(lanes.now(2, e) == float(e));
    resets.insert({lanes.now(1, e), lanes.now(2, e)});
    lengths.insert(lanes.now(8, e));
    ++reset_count;
  };
  for (int e = 0; e < 4; ++e) meet_reset(e);
  for (int step = 0; step < 300; ++step) {
    const std::uint64_t before = lanes.clock.env_steps;
    lanes.step(actions_of(step, 4));
    for (int e = 0; e < 4; ++e) {
      CHECK(lanes.next(3, e) == float(core::Stream::environment_step));
      CHECK(lanes.next(4, e) == float(before));
      CHECK(lanes.next(5, e) == float(e));
      steps.insert({lanes.next(4, e), lanes.next(5, e)});
      ++step_count;
      if (lanes.terminated[e] || lanes.truncated[e]) meet_reset(e);
    }
  }
  CHECK(reset_count > 200);
  CHECK(int(resets.size()) == reset_count);
  CHECK(int(steps.size()) == step_count);
  CHECK(lengths.size() == 4);
}

TEST_CASE_TEMPLATE("two lanes, and two seeds, start from different states", B, POLYQ_BACKENDS) {
  Lanes<B, env::CartPole, 2> lanes(1), others(2);
  for (int o = 0; o < 4; ++o) {
    CHECK(lanes.now(o, 0) != lanes.now(o, 1));
    CHECK(lanes.now(o, 0) != others.now(o, 0));
  }
}

// A GPU's roundings grow with the pole's fall, over some 20 to 50 steps.
TEST_CASE_TEMPLATE("states are equal, bit for bit, on every backend of the host", B,
                   POLYQ_BACKENDS) {
  const test::Compared compared = test::compare_with_reference<B, env::CartPole>(
      500, test::on_gpu ? 1e-4f : 0, [](int step, const auto&) { return actions_of(step, 4); });
  CHECK(compared.terminated > 20);
  CHECK(compared.different == 0);
}

TEST_CASE_TEMPLATE("settings of the environment reach every lane, and those of evaluation", B,
                   POLYQ_BACKENDS) {
  const Draws draws{.bonus = 100};
  Lanes<B, Draws, 2> lanes(1, draws);
  lanes.step({0, 0});
  CHECK(lanes.rewards == std::vector<float>{101, 101});

  const auto evaluation = env::Vectorized<Draws, 2>{draws}.evaluation();
  static_assert(decltype(evaluation)::count == 10);
  CHECK(evaluation.env.bonus == 100);
}

TEST_CASE_TEMPLATE("masks are those of s' before the reset and of s behind it", B, POLYQ_BACKENDS) {
  constexpr int A = 40, N = 3, words = polyq::math::mask_words(A);
  using Masked = test::Masked<A>;
  using Machine = typename B::Machine;
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, 3, N>;
  static_assert(env::Vectorized<Masked, N>::masked && !env::Vectorized<Draws, N>::masked);
  Machine machine{B{}};
  typename env::Vectorized<Masked, N>::template On<Machine> on(machine, {}, 1);
  const test::RowsOn<Machine, Observations> written(machine);
  constexpr std::uint32_t untouched = 0xabababab;
  const std::vector<std::uint32_t> fresh(N * words + 1, untouched);
  const auto legal = test::uploaded(machine, fresh), legal_next = test::uploaded(machine, fresh);
  core::Clock now{};
  const auto clock = test::uploaded(machine, std::vector{now});
  const auto to = written.view();
  const env::Stepped<Observations> out{to.next,         to.observations, to.rewards,
                                       to.terminated,   to.truncated,    legal.get(),
                                       legal_next.get()};
  const auto check = [&](const std::uint32_t* masks, const auto& observations) {
    const auto all = test::downloaded(machine, masks, fresh.size());
    CHECK(all.back() == untouched);
    for (int e = 0; e < N; ++e)
      for (int w = 0; w < words; ++w)
        CHECK(all[e * words + w] == Masked::mask_of(std::uint32_t(observations(0, e))).word[w]);
  };
  on.reset(machine, clock.get(), out);
  check(legal.get(), written.download(machine).observations);
  int ended = 0;
  for (int step = 0; step < 30; ++step) {
    machine.upload(to.actions, actions_of(step, N).data(), N);
    on.step(machine, clock.get(), to.actions, out, polyq::backend::probe::Each{});
    now.env_steps += N;
    machine.upload(clock.get(), &now, 1);
    const auto rows = written.download(machine);
    check(legal.get(), rows.observations);
    check(legal_next.get(), rows.next);
    for (int e = 0; e < N; ++e) {
      if (!rows.terminated[e] && !rows.truncated[e]) continue;
      ++ended;
      CHECK(rows.next(1, e) == 7);
      CHECK(rows.observations(1, e) == 0);
    }
  }
  CHECK(ended == 12);
}
