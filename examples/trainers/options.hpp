// SPDX-License-Identifier: MIT
// Options: the trainers' command line as plain values. Names and units are CleanRL's.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <polyq/comm/launch.hpp>
#include <polyq/dqn/settings.hpp>
#include <stdexcept>
#include <string>

#include "made.hpp"

namespace trainer {

/// Sizes that are compiled in; the build's cache variables POLYQ_TRAINER_… choose them.
struct Compiled {
  static constexpr int batch_size = POLYQ_TRAINER_BATCH_SIZE, num_envs = POLYQ_TRAINER_NUM_ENVS;
  static constexpr std::array hidden{POLYQ_TRAINER_HIDDEN};
};

/// The least count from `env_steps` on that the environments of all shards, which step together,
/// reach exactly.
constexpr std::uint64_t whole_steps(std::uint64_t env_steps, int shards = 1) {
  const std::uint64_t n = std::uint64_t(Compiled::num_envs) * std::uint64_t(shards);
  return (env_steps + n - 1) / n * n;
}

enum class Loss { squared, huber };

/// Intervals are env steps.
struct Options {
  std::string env, algo;
  Device device;
  std::uint64_t seed = 1;
  std::uint64_t total_timesteps = whole_steps(50'000);  // unless given, whole for all shards

  int ranks = 1;               // threads of this process
  polyq::comm::Launch launch;  // of this process among those that a launcher started
  polyq::Reduction reduction = polyq::Reduction::fast;
  std::optional<int> shards;
  double deadline_seconds = 60;

  float learning_rate = 2e-3f;
  std::optional<float> learning_rate_end;  // reached at total_timesteps; unset: constant
  float max_grad_norm = 0;                 // 0: no clipping
  Loss loss = Loss::squared;
  bool double_q_learning = false;
  float gamma = .99f;
  float v_min = std::numeric_limits<float>::quiet_NaN(), v_max = v_min;  // of a distribution
  float priority_alpha = .5f, priority_beta = .4f;  // β rises to 1 over the run's updates
  float reward_scale = 1, reward_clip = 0;          // clip 0: none

  std::int64_t buffer_size = std::int64_t(whole_steps(50'000));
  std::uint64_t learning_starts = 1'000;
  std::uint64_t train_frequency = 1, gradient_steps = 1;
  std::optional<std::uint64_t> target_network_frequency;  // unset: train_frequency
  float tau = .01f;

  float start_e = 1, end_e = .05f;
  std::optional<double> exploration_fraction;  // of total_timesteps; unset: 10 000 env steps

  std::uint64_t evaluation_frequency = whole_steps(1'000);  // 0: never
  int evaluation_episodes = 100;
  double solved_at = 0, stop_at = 0;
  bool no_early_stop = false;

  std::string evaluation_log;  // a file; empty: none
  bool quiet = false, json = false;
};

/// A command line that cannot be obeyed.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
  UsageError(const std::string& flag, const std::string& value, const std::string& allowed)
      : runtime_error(flag + " " + value + "; allowed: " + allowed) {}
};

/// What is thrown in place of options by a command line that asks for a text alone: --help,
/// --version, --print-config, --list.
struct Answer {
  std::string text;
};

/// The shards of the run, one a rank unless `--shards` or the reduction says otherwise; at least 1,
/// since what is less is the library's to refuse.
int shard_count(const Options& options);

/// Throws UsageError for what is no number, no flag, no key or no file, or not compiled in; ranges
/// of numbers are the library's to check. Throws Answer, and polyq::SettingsError for what a
/// launcher says. What the zoo sets for the agent stands behind what the command line sets.
Options parse(int argc, const char* const* argv, const Made& made);

}  // namespace trainer
