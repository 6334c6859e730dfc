// SPDX-License-Identifier: MIT
// CartPole (Barto, Sutton and Anderson 1983) as Gymnasium's CartPole-v1: reward 1 a step, Euler
// steps of 0.02 s, 500 steps at most.
#pragma once
#include <cmath>
#include <cstdint>
#include <tuple>

#include "polyq/env/concept.hpp"

namespace polyq::env {

/// Real is the type of the state; Gymnasium computes in double.
template <class Real>
struct CartPoleOf {
  static constexpr const char* name = "CartPole-v1";
  static constexpr int observation_size = 4, action_count = 2;
  static constexpr Goal goal{.solved = 475, .stop = 490};

  int step_limit = 500;

  auto fields() const { return std::tie(step_limit); }

  struct State {
    Real x, x_dot, theta, theta_dot;  // m, m/s, rad, rad/s
    int steps;
  };

  POLYQ_HD State reset(core::Random random) const {
    const core::Words words = random.words();
    const Real width = Real(.1), low = Real(-.05);
    return {Real(core::uniform(words.word[0])) * width + low,
            Real(core::uniform(words.word[1])) * width + low,
            Real(core::uniform(words.word[2])) * width + low,
            Real(core::uniform(words.word[3])) * width + low, 0};
  }

  POLYQ_HD Outcome step(State& s, std::int32_t action, core::Random /*random*/) const {
    const Real gravity = Real(9.8), pole_mass = Real(.1), total_mass = Real(1.1);
    const Real half_length = Real(.5), pole_moment = Real(.05), seconds = Real(.02);
    const Real force = action == 1 ? Real(10) : Real(-10);
    const Real cosine = std::cos(s.theta), sine = std::sin(s.theta);

    const Real push = (force + pole_moment * (s.theta_dot * s.theta_dot) * sine) / total_mass;
    const Real theta_acceleration =
        (gravity * sine - cosine * push) /
        (half_length * (Real(4.0 / 3.0) - pole_mass * (cosine * cosine) / total_mass));
    const Real x_acceleration = push - pole_moment * theta_acceleration * cosine / total_mass;

    s.x += seconds * s.x_dot;
    s.x_dot += seconds * x_acceleration;
    s.theta += seconds * s.theta_dot;
    s.theta_dot += seconds * theta_acceleration;
    ++s.steps;

    const Real x_limit = Real(2.4), theta_limit = Real(12 * 2 * 3.14159265358979323846 / 360);
    const bool fell = s.x < -x_limit || s.x > x_limit ||  //
                      s.theta < -theta_limit || s.theta > theta_limit;
    return {1.f, fell, s.steps >= step_limit};
  }

  POLYQ_HD void observe(const State& s, float* out) const {
    out[0] = float(s.x);
    out[1] = float(s.x_dot);
    out[2] = float(s.theta);
    out[3] = float(s.theta_dot);
  }
};

using CartPole = CartPoleOf<float>;

}  // namespace polyq::env
