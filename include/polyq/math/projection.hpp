// SPDX-License-Identifier: MIT
// Projection of a distribution on evenly spaced atoms onto others (Bellemare et al. 2017), shared
// by a team: each source's mass goes to its two neighbours in proportion to their nearness.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::math {

/// Masses p [count], of which source i stands at first + step · i in units of target atoms.
struct SpacedMasses {
  const float* p;
  int count;
  float first, step;
};

/// A range of targets for each of `Workers`, who scatters into it what lies within one atom. One
/// worker alone passes once over the sources; where each has a target, nobody writes for another.
template <int Workers>
struct ProjectRange {
  SpacedMasses from;
  float inverse;  // of from.step, infinite where that is 0
  float* target;
  int count;  // of targets

  POLYQ_HD void operator()(int worker) const {
    const int begin = border(worker), end = border(worker + 1);
    for (int j = begin; j < end; ++j) target[j] = 0;
    // The ends also receive from all beyond them. One more on each side for the rounding.
    const int low = begin > 0 ? source((float(begin) - 1 - from.first) * inverse - 1) : 0;
    const int high = end < count ? source((float(end) - from.first) * inverse + 1) : from.count - 1;
    for (int i = low; i <= high; ++i) {
      float at = from.first + from.step * float(i);
      at = at > 0 ? at : 0.f;
      const int below = at < float(count - 2) ? int(at) : count - 2;
      const float beyond = at - float(below), share = beyond < 1 ? beyond : 1.f;
      if (below >= begin && below < end) target[below] += from.p[i] * (1 - share);
      if (below + 1 >= begin && below + 1 < end) target[below + 1] += from.p[i] * share;
    }
  }

 private:
  POLYQ_HD int border(int worker) const { return int(std::int64_t{worker} * count / Workers); }
  POLYQ_HD int source(float i) const {
    const float last = float(from.count - 1);
    return int(i > 0 ? (i < last ? i : last) : 0.f);
  }
};

/// target [count] ← the masses, projected; places are clipped to [0, count - 1]; step ≥ 0 and
/// count ≥ 2.
template <class Team>
POLYQ_HD void project(const Team& team, const SpacedMasses& from, float* target, int count) {
  const auto with = [&](auto range) {
    range = {from, 1 / from.step, target, count};
    return range;
  };
  if constexpr (requires { Team::threads; }) {
    team.for_each(Team::threads, with(ProjectRange<Team::threads>{}));
  } else {
    team.for_each(1, with(ProjectRange<1>{}));
  }
}

}  // namespace polyq::math
