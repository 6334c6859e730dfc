// SPDX-License-Identifier: MIT
// Acrobot (Sutton 1996; the equations of Sutton and Barto's book) as Gymnasium's Acrobot-v1: two
// links, a torque between them, reward -1 a step until the tip is a link's length above the hinge,
// 500 Runge-Kutta steps of 0.2 s at most.
#pragma once
#include <cmath>
#include <cstdint>
#include <tuple>

#include "polyq/env/concept.hpp"
#include "polyq/math/trigonometry.hpp"

namespace polyq::env {

/// Real is the type of the state; Gymnasium computes in double.
template <class Real>
struct AcrobotOf {
  static constexpr const char* name = "Acrobot-v1";
  static constexpr int observation_size = 6, action_count = 3;
  static constexpr Goal goal{.solved = -100, .stop = -90};

  int step_limit = 500;

  auto fields() const { return std::tie(step_limit); }

  /// Radians and their rates: the upper link from hanging down, the lower from the upper.
  struct Motion {
    Real theta1, theta2, theta1_dot, theta2_dot;
  };
  struct State {
    Motion at;
    int steps;
  };

  POLYQ_HD State reset(core::Random random) const {
    const core::Words words = random.words();
    const float width = .2f, low = -.1f;  // Gymnasium too rounds the first state to float
    return {{Real(core::uniform(words.word[0]) * width + low),
             Real(core::uniform(words.word[1]) * width + low),
             Real(core::uniform(words.word[2]) * width + low),
             Real(core::uniform(words.word[3]) * width + low)},
            0};
  }

  /// Actions 0, 1, 2 are torques of -1, 0 and 1 N m.
  POLYQ_HD Outcome step(State& s, std::int32_t action, core::Random /*random*/) const {
    const Real torque = Real(action - 1), seconds = Real(.2), half = seconds / 2;
    Motion rate = slope(s.at, torque), sum = rate;
    rate = slope(moved(s.at, half, rate), torque);
    sum = moved(sum, 2, rate);
    rate = slope(moved(s.at, half, rate), torque);
    sum = moved(sum, 2, rate);
    rate = slope(moved(s.at, seconds, rate), torque);
    sum = moved(sum, 1, rate);
    const Motion to = moved(s.at, seconds / 6, sum);

    s.at = {wrapped(to.theta1), wrapped(to.theta2), bounded(to.theta1_dot, 4 * pi),
            bounded(to.theta2_dot, 9 * pi)};
    ++s.steps;

    const bool up = -math::sine_cosine(s.at.theta1).cosine -
                        math::sine_cosine(s.at.theta1 + s.at.theta2).cosine >
                    1;
    return {up ? 0.f : -1.f, up, s.steps >= step_limit};
  }

  POLYQ_HD void observe(const State& s, float* out) const {
    const math::SineCosine<Real> upper = math::sine_cosine(s.at.theta1),
                                 lower = math::sine_cosine(s.at.theta2);
    out[0] = float(upper.cosine);
    out[1] = float(upper.sine);
    out[2] = float(lower.cosine);
    out[3] = float(lower.sine);
    out[4] = float(s.at.theta1_dot);
    out[5] = float(s.at.theta2_dot);
  }

 private:
  static constexpr Real pi = Real(3.14159265358979323846);

  POLYQ_HD static Motion moved(const Motion& from, Real by, const Motion& slope) {
    return {from.theta1 + by * slope.theta1, from.theta2 + by * slope.theta2,
            from.theta1_dot + by * slope.theta1_dot, from.theta2_dot + by * slope.theta2_dot};
  }

  /// d/dt of a motion: forces over the matrix of inertias. Both links have 1 kg, 1 m, 1 kg m² and
  /// their centre in the middle.
  POLYQ_HD static Motion slope(const Motion& m, Real torque) {
    const Real gravity = Real(9.8);
    const math::SineCosine<Real> lower = math::sine_cosine(m.theta2);
    const Real cosine = lower.cosine, half_sine = lower.sine / 2;
    const Real weight2 = gravity / 2 * math::sine_cosine(m.theta1 + m.theta2).sine;
    const Real weight1 = gravity * Real(1.5) * math::sine_cosine(m.theta1).sine + weight2;
    const Real force1 = half_sine * m.theta2_dot * (m.theta2_dot + 2 * m.theta1_dot) - weight1;
    const Real force2 = torque - half_sine * (m.theta1_dot * m.theta1_dot) - weight2;

    const Real inertia1 = Real(3.5) + cosine, inertia2 = Real(1.25), shared = inertia2 + cosine / 2;
    const Real over = 1 / (Real(2.8125) - cosine * cosine / 4);  // inertia1 inertia2 - shared²
    return {m.theta1_dot, m.theta2_dot, (inertia2 * force1 - shared * force2) * over,
            (inertia1 * force2 - shared * force1) * over};
  }

  /// The same angle in [-π, π].
  POLYQ_HD static Real wrapped(Real angle) {
    const Real turn = 2 * pi;
    return angle - turn * std::floor(angle * (1 / turn) + Real(.5));
  }
  POLYQ_HD static Real bounded(Real value, Real most) {
    return value < -most ? -most : value > most ? most : value;
  }
};

using Acrobot = AcrobotOf<float>;

}  // namespace polyq::env
