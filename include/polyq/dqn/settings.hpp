// SPDX-License-Identifier: MIT
// DqnSettings: the algorithm's numbers. The defaults solve CartPole.
#pragma once
#include <cstdint>
#include <optional>
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/math/reward.hpp"
#include "polyq/math/schedule.hpp"

namespace polyq {

/// How the shards' gradients become one: by the communicator's own sum, one shard a rank, or by a
/// tree over a fixed number of shards, whose bits do not depend on the number of ranks.
enum class Reduction : std::uint8_t { fast, reproducible };

/// Of a reproducible run that names no number.
constexpr int default_shards = 4;

/// ε of an agent whose settings name none and whose network does not explore by itself.
inline constexpr math::Schedule default_exploration = math::Schedule::linear(1, .05f, 10'000);

struct DqnSettings {
  float discount = .99f;                           // γ
  std::uint64_t seed = 1;                          // of everything that is drawn
  std::optional<math::Schedule> exploration = {};  // ε over env steps; unset: default_exploration,
                                                   // or 0 where the network explores by itself
  std::uint64_t target_period_updates = 1;         // updates between two target copies
  float tau = .01f;  // part of the online network in a copy: 1 copies, less is Polyak's average
  math::RewardTransform reward = {};  // what is learned from; raw rewards are what is reported
  Reduction reduction = Reduction::fast;
  std::optional<int> shards = {};  // unset: the ranks where fast, 4 where reproducible

  auto fields() const {
    return std::tie(discount, seed, exploration, target_period_updates, tau, reward, reduction,
                    shards);
  }

  /// Throws SettingsError.
  void check() const {
    require(discount >= 0 && discount <= 1, "DqnSettings.discount", discount, "[0, 1]");
    if (exploration) exploration->check_within("DqnSettings.exploration", 0, 1);
    require(target_period_updates > 0, "DqnSettings.target_period_updates", target_period_updates,
            ">= 1");
    require(tau > 0 && tau <= 1, "DqnSettings.tau", tau, "(0, 1]");
    reward.check();
  }
};

}  // namespace polyq
