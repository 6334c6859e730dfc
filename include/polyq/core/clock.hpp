// SPDX-License-Identifier: MIT
// Clock: the only per-step numbers, in backend memory, so that a recording can be replayed.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::core {

/// Env steps: actions of single environments, over all shards. Updates: gradient steps. Rows: those
/// that each shard has stored, env steps / shards.
struct Clock {
  std::uint64_t env_steps = 0, updates = 0, rows = 0;
};

/// Advances the clock by rows of each of `shards` shards and by updates; enqueued by for_each(1, …)
/// as the last thing of a step or an update.
struct Tick {
  Clock* clock;
  std::uint64_t rows, updates, shards = 1;
  POLYQ_HD void operator()(std::int64_t) const {
    clock->env_steps += rows * shards;
    clock->updates += updates;
    clock->rows += rows;
  }
};

}  // namespace polyq::core
