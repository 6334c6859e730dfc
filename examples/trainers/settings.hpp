// SPDX-License-Identifier: MIT
// The library's settings that the options mean, and the flags that its complaints are about.
#pragma once
#include <cstdint>
#include <polyq/dqn/settings.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/train/settings.hpp>
#include <string>

#include "options.hpp"

namespace trainer {

/// Checked: throws polyq::SettingsError.
polyq::TrainSettings train_settings(const Options& options);

/// Throws UsageError when the target's interval is no whole number of updates.
polyq::DqnSettings dqn_settings(const Options& options);

polyq::optim::Adam adam(const Options& options);

/// The exponent of the weights over the run's updates.
polyq::math::Schedule priority_beta(const Options& options);

/// Sets what the options say of a replay.
template <class Replay>
void set_replay(const Options& options, Replay& replay) {
  if constexpr (requires { replay.inner; }) {
    set_replay(options, replay.inner);
  } else {
    replay.capacity = options.buffer_size;
    if constexpr (requires { replay.beta; }) {
      replay.alpha = options.priority_alpha;
      replay.beta = priority_beta(options);
    }
  }
}

/// The error's message with the flag in front that set its field.
std::string naming_flag(const Options& options, const polyq::SettingsError& error);

}  // namespace trainer
