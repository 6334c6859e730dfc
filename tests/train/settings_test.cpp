// SPDX-License-Identifier: MIT
// TrainSettings: how many updates are due when, as CleanRL counts them and as train makes them;
// settings out of their range are refused, naming field, value and range.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/settings.hpp>
#include <polyq/train/train.hpp>
#include <string>

#include "agents.hpp"
#include "backends.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
using polyq::TrainSettings;

/// An episode is three steps; nothing else happens.
struct Still {
  static constexpr const char* name = "Still";
  static constexpr int observation_size = 1, action_count = 2;
  struct State {
    int steps;
  };
  POLYQ_HD State reset(core::Random) const { return {0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t, core::Random) const {
    return {1, false, ++state.steps == 3};
  }
  POLYQ_HD void observe(const State& state, float* out) const { out[0] = float(state.steps); }
};

/// The updates of CleanRL's dqn.py: counted by its own loop.
std::uint64_t updates_of_clean_rl(std::uint64_t total, std::uint64_t learning_starts,
                                  std::uint64_t train_frequency) {
  std::uint64_t updates = 0;
  for (std::uint64_t global_step = 0; global_step < total; ++global_step)
    if (global_step > learning_starts && global_step % train_frequency == 0) ++updates;
  return updates;
}

template <class B, int N>
void count_updates(const TrainSettings& settings, std::uint64_t expected) {
  CAPTURE(N);
  polyq::Dqn agent(B{}, polyq::nn::Mlp<1, 2>{}, polyq::replay::Uniform<4>{.capacity = 400},
                   polyq::optim::Sgd{});
  const polyq::TrainResult result = polyq::train(agent, env::Vectorized<Still, N>{}, settings);
  CHECK(result.env_steps == settings.env_steps);
  CHECK(result.updates == expected);
  CHECK(test::clock_of(agent).updates == expected);
  CHECK(test::clock_of(agent).env_steps == settings.env_steps);
}

std::string refusal(const TrainSettings& settings, std::uint64_t environments = 1) {
  try {
    settings.check(environments);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("CleanRL's protocol makes 48 999 updates") {
  constexpr TrainSettings settings{
      .env_steps = 500'000, .warm_up_env_steps = 10'000, .train_period_env_steps = 10};
  static_assert(settings.updates_due(500'000) == 48'999);
  CHECK(updates_of_clean_rl(500'000, 10'000, 10) == 48'999);
}

TEST_CASE("floor((env steps - 1 - warm-up) / period) updates are due, for any of them") {
  for (std::uint64_t warm_up = 0; warm_up < 25; ++warm_up)
    for (std::uint64_t period = 1; period < 12; ++period) {
      const TrainSettings settings{.warm_up_env_steps = warm_up, .train_period_env_steps = period};
      std::uint64_t due = 0;  // one more each period after the first step behind the warm-up
      for (std::uint64_t done = 0; done < 80; ++done) {
        if (done > warm_up + 1 && (done - 1 - warm_up) % period == 0) ++due;
        CAPTURE(warm_up);
        CAPTURE(period);
        CAPTURE(done);
        CHECK(settings.updates_due(done) == due);
        if (warm_up % period == 0)
          CHECK(settings.updates_due(done) == updates_of_clean_rl(done, warm_up, period));
      }
    }
}

TEST_CASE("each time so many updates as the setting says") {
  TrainSettings settings{.warm_up_env_steps = 100, .train_period_env_steps = 10};
  settings.updates_per_period = 3;
  CHECK(settings.updates_due(100) == 0);
  CHECK(settings.updates_due(110) == 0);
  CHECK(settings.updates_due(111) == 3);
  CHECK(settings.updates_due(121) == 6);
  CHECK(settings.updates_due(1'000) == 3 * 89);
}

TEST_CASE_TEMPLATE("train makes the updates that are due, however many environments step", B,
                   POLYQ_BACKENDS) {
  TrainSettings settings{.env_steps = 1'000,
                         .warm_up_env_steps = 100,
                         .train_period_env_steps = 10,
                         .evaluation_period_env_steps = 0};
  settings.select_episodes = settings.report_episodes = 1;
  const std::uint64_t expected = updates_of_clean_rl(1'000, 100, 10);
  CHECK(expected == 89);
  count_updates<B, 1>(settings, expected);
  count_updates<B, 4>(settings, expected);  // an update behind some steps, none behind others
  settings.chunk_env_steps = 7;
  count_updates<B, 4>(settings, expected);
  settings.updates_per_period = 5;
  count_updates<B, 4>(settings, 5 * expected);
  settings.updates_per_period = 1;
  settings.train_period_env_steps = 1;  // four updates behind each step
  count_updates<B, 4>(settings, 899);
  settings.warm_up_env_steps = 1'000;
  count_updates<B, 4>(settings, 0);
}

TEST_CASE("settings out of their range are refused") {
  CHECK(refusal({}) == "nothing");
  CHECK(refusal({}, 8) == "nothing");
  const std::string multiple_of_4 =
      "; allowed: >= 1 and a multiple of the number of environments, 4";
  CHECK(refusal({.env_steps = 0}, 4) == "polyq: TrainSettings.env_steps = 0" + multiple_of_4);
  CHECK(refusal({.env_steps = 50'001}, 4) ==
        "polyq: TrainSettings.env_steps = 50001" + multiple_of_4);
  CHECK(refusal({.train_period_env_steps = 0}) ==
        "polyq: TrainSettings.train_period_env_steps = 0; allowed: >= 1");
  CHECK(refusal({.updates_per_period = 0}) ==
        "polyq: TrainSettings.updates_per_period = 0; allowed: >= 1");
  CHECK(refusal({.evaluation_period_env_steps = 1'001}, 4) ==
        "polyq: TrainSettings.evaluation_period_env_steps = 1001; allowed: 0 or a multiple of the "
        "number of environments, 4");
  CHECK(refusal({.evaluation_period_env_steps = 0}, 4) == "nothing");
  CHECK(refusal({.select_episodes = 0}) ==
        "polyq: TrainSettings.select_episodes = 0; allowed: >= 1");
  CHECK(refusal({.stop_episodes = -1}) == "polyq: TrainSettings.stop_episodes = -1; allowed: >= 1");
  CHECK(refusal({.report_episodes = 0}) ==
        "polyq: TrainSettings.report_episodes = 0; allowed: >= 1");
  CHECK(refusal({.chunk_env_steps = 0}) ==
        "polyq: TrainSettings.chunk_env_steps = 0; allowed: >= 1");
}

TEST_CASE("a goal is finite, and its stop at least its solved") {
  using polyq::check, polyq::env::Goal;
  CHECK_NOTHROW(check(Goal{475, 475}));
  CHECK_THROWS_WITH_AS(check(Goal{475, 470}),
                       "polyq: Goal.stop = 470; allowed: finite and at least Goal.solved, 475",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(check(Goal{std::nan(""), 1}), "polyq: Goal.solved = nan; allowed: finite",
                       polyq::SettingsError);
}
