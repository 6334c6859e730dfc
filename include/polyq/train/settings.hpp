// SPDX-License-Identifier: MIT
// TrainSettings: when to act, update, evaluate and stop. All intervals are in env steps.
#pragma once
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/env/concept.hpp"

namespace polyq {

/// Throws SettingsError.
inline void check(const env::Goal& goal) {
  require(std::isfinite(goal.solved), "Goal.solved", goal.solved, "finite");
  require(std::isfinite(goal.stop) && goal.stop >= goal.solved, "Goal.stop", goal.stop,
          "finite and at least Goal.solved, " + shown(goal.solved));
}

struct TrainSettings {
  std::uint64_t env_steps = 50'000;          // in all, of one run
  std::uint64_t warm_up_env_steps = 1'000;   // before the first update
  std::uint64_t train_period_env_steps = 1;  // env steps from one time of updating to the next
  std::uint64_t updates_per_period = 1;      // updates each time
  std::uint64_t evaluation_period_env_steps = 1'000;  // 0: never, and the last agent is the best
  int select_episodes = 10;                           // greedy episodes that choose the best agent
  int stop_episodes = 100;                            // that decide to stop early
  int report_episodes = 100;                          // that are reported, at the end
  bool early_stop = true;                             // once the goal is met
  std::optional<env::Goal> goal = {};     // unset: the environment's own, if it names one
  std::uint64_t chunk_env_steps = 1'000;  // at most, between two looks at the run

  auto fields() const {
    return std::tie(env_steps, warm_up_env_steps, train_period_env_steps, updates_per_period,
                    evaluation_period_env_steps, select_episodes, stop_episodes, report_episodes,
                    early_stop, goal, chunk_env_steps);
  }

  /// Throws SettingsError; n is the number of environments that step together, of all shards.
  void check(std::uint64_t n) const {
    const std::string multiple = ">= 1 and a multiple of the number of environments, " + shown(n);
    require(env_steps > 0 && env_steps % n == 0, "TrainSettings.env_steps", env_steps, multiple);
    require(train_period_env_steps > 0, "TrainSettings.train_period_env_steps",
            train_period_env_steps, ">= 1");
    require(updates_per_period > 0, "TrainSettings.updates_per_period", updates_per_period, ">= 1");
    require(evaluation_period_env_steps % n == 0, "TrainSettings.evaluation_period_env_steps",
            evaluation_period_env_steps,
            "0 or a multiple of the number of environments, " + shown(n));
    require(select_episodes > 0, "TrainSettings.select_episodes", select_episodes, ">= 1");
    require(stop_episodes > 0, "TrainSettings.stop_episodes", stop_episodes, ">= 1");
    require(report_episodes > 0, "TrainSettings.report_episodes", report_episodes, ">= 1");
    require(chunk_env_steps > 0, "TrainSettings.chunk_env_steps", chunk_env_steps, ">= 1");
  }

  /// Updates that should have been made when `done` env steps are. With a warm-up that is a
  /// multiple of the period, CleanRL's count: its step numbers begin at 0 and must exceed it.
  constexpr std::uint64_t updates_due(std::uint64_t done) const {
    if (done <= warm_up_env_steps) return 0;
    return (done - 1 - warm_up_env_steps) / train_period_env_steps * updates_per_period;
  }
};

}  // namespace polyq
