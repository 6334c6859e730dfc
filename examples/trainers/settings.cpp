// SPDX-License-Identifier: MIT
// From options to settings: env steps to updates, fractions to env steps, fields to flags.
#include "settings.hpp"

#include <algorithm>
#include <limits>

namespace trainer {
namespace {

using polyq::shown;

std::uint64_t target_period_updates(const Options& options) {
  const std::uint64_t frequency =
      options.target_network_frequency.value_or(options.train_frequency);
  const std::uint64_t periods = frequency / options.train_frequency;
  if (periods * options.train_frequency != frequency)
    throw UsageError("--target-network-frequency", shown(frequency),
                     "multiples of --train-frequency, " + shown(options.train_frequency));
  if (periods > std::numeric_limits<std::uint64_t>::max() / options.gradient_steps)
    throw UsageError(
        "--target-network-frequency", shown(frequency),
        "fewer than 2^64 updates; --gradient-steps is " + shown(options.gradient_steps));
  return periods * options.gradient_steps;
}

float exploration_env_steps(const Options& options) {
  if (!options.exploration_fraction) return 10'000;
  const double fraction = *options.exploration_fraction;
  if (!(fraction > 0 && fraction <= 1))
    throw UsageError("--exploration-fraction", shown(fraction), "(0, 1]");
  return float(fraction * double(options.total_timesteps));
}

}  // namespace

polyq::TrainSettings train_settings(const Options& options) {
  polyq::TrainSettings settings;
  settings.env_steps = options.total_timesteps;
  settings.warm_up_env_steps = options.learning_starts;
  settings.train_period_env_steps = options.train_frequency;
  settings.updates_per_period = options.gradient_steps;
  settings.evaluation_period_env_steps = options.evaluation_frequency;
  settings.report_episodes = options.evaluation_episodes;
  settings.early_stop = !options.no_early_stop;
  const double stop = settings.early_stop ? options.stop_at : options.solved_at;
  settings.goal = polyq::env::Goal{.solved = options.solved_at, .stop = stop};
  settings.check(std::uint64_t(Compiled::num_envs) * std::uint64_t(shard_count(options)));
  return settings;
}

polyq::DqnSettings dqn_settings(const Options& options) {
  polyq::DqnSettings settings;
  settings.discount = options.gamma;
  settings.seed = options.seed;
  settings.exploration =
      polyq::math::Schedule::linear(options.start_e, options.end_e, exploration_env_steps(options));
  settings.target_period_updates = target_period_updates(options);
  settings.tau = options.tau;
  settings.reduction = options.reduction;
  settings.shards = options.shards;
  settings.reward.scale = options.reward_scale;
  if (options.reward_clip != 0) settings.reward.clip = options.reward_clip;
  return settings;
}

polyq::optim::Adam adam(const Options& options) {
  using polyq::math::Schedule;
  if (!options.learning_rate_end) return {.rate = options.learning_rate};
  return {.rate = Schedule::linear(options.learning_rate, *options.learning_rate_end,
                                   float(options.total_timesteps))};
}

polyq::math::Schedule priority_beta(const Options& options) {
  const std::uint64_t updates = train_settings(options).updates_due(options.total_timesteps);
  return polyq::math::Schedule::linear(options.priority_beta, 1,
                                       float(std::max<std::uint64_t>(updates, 1)));
}

std::string naming_flag(const Options& options, const polyq::SettingsError& error) {
  const std::string message = std::string(error.what()).substr(std::string("polyq: ").size());
  const auto is_about = [&](float value) {
    return message.starts_with(error.field + " = " + shown(value) + ";");
  };
  const struct {
    const char *field, *flag;
  } rows[] = {
      {"TrainSettings.env_steps", "--total-timesteps"},
      {"TrainSettings.train_period_env_steps", "--train-frequency"},
      {"TrainSettings.updates_per_period", "--gradient-steps"},
      {"TrainSettings.evaluation_period_env_steps", "--evaluation-frequency"},
      {"TrainSettings.report_episodes", "--evaluation-episodes"},
      {"DqnSettings.discount", "--gamma"},
      {"DqnSettings.exploration", is_about(options.start_e) ? "--start-e" : "--end-e"},
      {"DqnSettings.target_period_updates", "--target-network-frequency"},
      {"DqnSettings.tau", "--tau"},
      {"DqnSettings.shards", "--shards"},
      {"ranks", "--ranks"},
      {"deadline in seconds", "--deadline-seconds"},
      {"RewardTransform.scale", "--reward-scale"},
      {"RewardTransform.clip", "--reward-clip"},
      {"Adam.rate", is_about(options.learning_rate) ? "--learning-rate" : "--learning-rate-end"},
      {"Clipped.max_norm", "--max-grad-norm"},
      {"ThrustCuda.device", "--device"},
      {"Uniform.capacity", "--buffer-size"},
      {"Prioritized.capacity", "--buffer-size"},
      {"Prioritized.alpha", "--prioritized-replay-alpha"},
      {"Prioritized.beta", "--prioritized-replay-beta"},
      {"Categorical.low", "--v-min"},
      {"Categorical.high", "--v-max"},
      {"TrainSettings.warm_up_env_steps", "--learning-starts"},
      {"replay capacity", "--buffer-size"},
  };
  for (const auto& row : rows)
    if (error.field == row.field) return std::string(row.flag) + ": " + message;
  return error.what();
}

}  // namespace trainer
