// SPDX-License-Identifier: MIT
// Sharding: which of a run's shards a rank hosts. A shard is one replay, N environments and one
// batch; moving it to another rank changes none of its draws.
#pragma once
#include <cstdint>
#include <string>

#include "polyq/core/error.hpp"
#include "polyq/dqn/settings.hpp"

namespace polyq {

/// This rank hosts shards [first, first + hosted) of `shards`.
struct Sharding {
  int shards = 1, first = 0, hosted = 1;
};

/// For rank `rank` of `ranks`, or for comm::None, which is `alone`. Throws SettingsError.
inline Sharding sharding_of(const DqnSettings& settings, int rank, int ranks, bool alone) {
  const std::string field = "DqnSettings.shards";
  if (settings.reduction == Reduction::fast) {
    const int shards = settings.shards.value_or(ranks);
    require(shards == ranks, field, shards,
            shown(ranks) +
                ", the number of ranks, with Reduction::fast; several shards a rank "
                "need Reduction::reproducible");
    return {ranks, rank, 1};
  }
  constexpr int most_shards = 1 << 16;
  const int shards = settings.shards.value_or(default_shards);
  const bool power = shards >= 1 && shards <= most_shards && (shards & (shards - 1)) == 0;
  require(power, field, shards,
          "powers of two up to " + shown(most_shards) +
              " with Reduction::reproducible, whose tree "
              "they fill");
  require(shards % ranks == 0, field, shards, "a multiple of the number of ranks, " + shown(ranks));
  require(!alone || shards == 1, field, shards,
          "1 with comm::None; comm::Threads{} is one rank of several shards");
  return {shards, rank * (shards / ranks), shards / ranks};
}

}  // namespace polyq
