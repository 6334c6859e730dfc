// SPDX-License-Identifier: MIT
// SyncTarget: the target network's copy, done element by element behind an optimizer's step.
#pragma once
#include <cstdint>

#include "polyq/core/clock.hpp"
#include "polyq/core/config.hpp"
#include "polyq/math/modulo.hpp"

namespace polyq {

/// θ⁻ ← θ⁻ + τ (θ − θ⁻), behind every `period`-th update.
struct SyncTarget {
  float* target;
  const float* online;
  const core::Clock* clock;
  math::Modulo period;
  float tau;

  struct Element {
    float* target;
    const float* online;
    float tau;
    bool active;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      using V = typename Lane::Value;
      const V from = i.load(target), to = i.load(online);
      i.store(target, tau == 1 ? to : from + V(tau) * (to - from));
    }
  };
  POLYQ_HD Element prepare() const {
    return {target, online, tau, period(clock->updates + 1) == 0};
  }
};

}  // namespace polyq
