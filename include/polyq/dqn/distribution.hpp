// SPDX-License-Identifier: MIT
// OfDistributions: what rules share whose network puts out Atoms numbers an action, row
// a · Atoms + z: the greedy action by the means, and the gradient of one action's numbers.
#pragma once
#include <cstdint>

#include "polyq/dqn/rule.hpp"
#include "polyq/math/action_mask.hpp"
#include "polyq/math/items.hpp"

namespace polyq::rule {

/// The network whose means choose the action at s′.
enum class Selector { target, online };

template <int Atoms, Selector selector>
struct OfDistributions {
  static_assert(Atoms >= 2, "polyq::rule: a distribution has fewer than 2 atoms or quantiles");
  static constexpr int atoms = Atoms;
  static constexpr bool reads_online_next = selector == Selector::online;
  template <class Network>
  static constexpr bool accepts = [] {
    if constexpr (requires { Network::atoms; }) {
      return Network::atoms == Atoms;
    } else {
      return false;
    }
  }();

 protected:
  /// The legal action at s′ of the largest mean(its numbers [Atoms]); the lowest among equals.
  template <int A, class Mean>
  POLYQ_HD static int greedy_next(const Sample& s, Mean mean) {
    const float* output = selector == Selector::online ? s.next_online : s.next;
    int best = -1;
    float best_mean = 0;
    for (int a = 0; a < A; ++a) {
      if (!math::allows(s.legal_next, a)) continue;
      const float here = mean(output + a * Atoms);
      if (best >= 0 && !(here > best_mean)) continue;
      best = a;
      best_mean = here;
    }
    return best < 0 ? 0 : best;
  }

  /// gradient [A·Atoms] ← 0; returns where the numbers of the action taken begin.
  template <int A, class Team>
  POLYQ_HD static float* clear(const Team& team, const Sample& s, float* gradient) {
    team.for_each(A * Atoms, math::Clear{gradient});
    return gradient + s.action * Atoms;
  }
};

}  // namespace polyq::rule
