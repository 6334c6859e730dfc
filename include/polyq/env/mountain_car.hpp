// SPDX-License-Identifier: MIT
// MountainCar (Moore 1990) as Gymnasium's MountainCar-v0: reward -1 a step until the car is on the
// right hill, 200 steps at most; the left end of the track stops it.
#pragma once
#include <cmath>
#include <cstdint>
#include <tuple>

#include "polyq/env/concept.hpp"

namespace polyq::env {

/// Real is the type of the state; Gymnasium computes in double.
template <class Real>
struct MountainCarOf {
  static constexpr const char* name = "MountainCar-v0";
  static constexpr int observation_size = 2, action_count = 3;
  static constexpr Goal goal{.solved = -110, .stop = -107};

  int step_limit = 200;

  auto fields() const { return std::tie(step_limit); }

  struct State {
    Real x, x_dot;  // along the track, and per step; the valley's floor is at -π/6
    int steps;
  };

  POLYQ_HD State reset(core::Random random) const {
    const Real width = Real(.2), low = Real(-.6);
    return {Real(core::uniform(random.words().word[0])) * width + low, 0, 0};
  }

  /// Actions 0, 1, 2 push to the left, not at all, to the right.
  POLYQ_HD Outcome step(State& s, std::int32_t action, core::Random /*random*/) const {
    const Real push = Real(.001), gravity = Real(.0025), most = Real(.07);
    const Real left = Real(-1.2), right = Real(.6), top = Real(.5);

    const Real x_dot =
        s.x_dot + (Real(action - 1) * push - gravity * std::cos(Real(3) * s.x));  // height: sin 3x
    s.x_dot = x_dot < -most ? -most : x_dot > most ? most : x_dot;
    const Real x = s.x + s.x_dot;
    s.x = x < left ? left : x > right ? right : x;
    if (s.x == left && s.x_dot < 0) s.x_dot = 0;
    ++s.steps;

    return {-1.f, s.x >= top && s.x_dot >= 0, s.steps >= step_limit};
  }

  POLYQ_HD void observe(const State& s, float* out) const {
    out[0] = float(s.x);
    out[1] = float(s.x_dot);
  }
};

using MountainCar = MountainCarOf<float>;

}  // namespace polyq::env
