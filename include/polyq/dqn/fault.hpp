// SPDX-License-Identifier: MIT
// Fault: the first number of a lane that is not finite, or state without a legal action, found in
// backend memory where nothing can be thrown, named on the host at the next wait.
#pragma once
#include <cstdint>
#include <string>

#include "polyq/core/config.hpp"
#include "polyq/core/error.hpp"
#include "polyq/math/action_mask.hpp"
#include "polyq/math/finite.hpp"

namespace polyq {

struct Fault {
  bool faulty;
  std::int32_t fault_index;  // of the observation, or one of the two below
  float fault_value;
  std::uint64_t fault_row;  // rows, or steps of an episode, before this one
  static constexpr std::int32_t reward_index = -1, legal_index = -2;

  /// Looks at a step's reward and at two observations [O]; keeps the first fault ever seen.
  template <int O>
  POLYQ_HD void look(std::uint64_t row, float reward, const float* before, const float* after) {
    int faults = !math::is_finite(reward);  // counted, not branched on: a vector's loop
    for (int o = 0; o < O; ++o) faults += !math::is_finite(before[o]) + !math::is_finite(after[o]);
    if (faults == 0 || faulty) return;
    fault_row = row;
    for (int o = 0; o < O; ++o) {
      keep(o, before[o]);
      keep(o, after[o]);
    }
    keep(reward_index, reward);
  }

  /// Looks at the mask of a state that is to be acted in.
  POLYQ_HD void look_at_legal(std::uint64_t row, const std::uint32_t* legal, int actions) {
    if (faulty || math::count_legal(legal, actions) > 0) return;
    faulty = true;
    fault_index = legal_index;
    fault_row = row;
  }

  /// Throws EnvironmentError if there is one, naming environment, lane, env step and index.
  void refuse(const char* environment, std::uint64_t lane) const {
    if (!faulty) return;
    const std::string where = "polyq: environment " + std::string(environment) + ", lane " +
                              shown(lane) + ", env step " + shown(fault_row + 1);
    if (fault_index == legal_index)
      throw EnvironmentError(where + ": legal actions = none; allowed: at least one");
    const std::string what = fault_index == reward_index
                                 ? std::string("reward")
                                 : "observation[" + shown(fault_index) + "]";
    throw EnvironmentError(where + ": " + what + " = " + shown(fault_value) +
                           "; allowed: finite numbers");
  }

  POLYQ_HD void keep(std::int32_t index, float value) {
    if (faulty || math::is_finite(value)) return;
    faulty = true;
    fault_index = index;
    fault_value = value;
  }
};

}  // namespace polyq
