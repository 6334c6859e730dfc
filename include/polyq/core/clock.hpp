// SPDX-License-Identifier: MIT
// Clock: the only per-step numbers, in backend memory, so that a recording can be replayed.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::core {

/// Env steps: actions of single environments, N a step of N environments. Updates: gradient steps.
struct Clock {
  std::uint64_t env_steps, updates;
};

/// Advances the clock; enqueued by for_each(1, …) as the last thing of a step or an update.
struct Tick {
  Clock* clock;
  std::uint64_t env_steps, updates;
  POLYQ_HD void operator()(std::int64_t) const {
    clock->env_steps += env_steps;
    clock->updates += updates;
  }
};

}  // namespace polyq::core
