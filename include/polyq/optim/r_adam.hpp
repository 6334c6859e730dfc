// SPDX-License-Identifier: MIT
// RAdam (Liu et al. 2020) in PyTorch's form: Adam that steps by its mean alone until its variance
// is known, which is when ρ_t > 5, and by a rectified rate from then on.
#pragma once
#include <algorithm>
#include <cmath>
#include <tuple>

#include "polyq/math/activation.hpp"
#include "polyq/math/schedule.hpp"
#include "polyq/optim/adam.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

struct RAdam {
  math::Schedule rate = 1e-3f;
  float beta1 = .9f, beta2 = .999f, epsilon = 1e-8f;

  template <class Machine, class Shapes>
  class On;  // defined below: a nested class cannot hold an unfinished RAdam

  auto fields() const { return std::tie(rate, beta1, beta2, epsilon); }
  void check() const { Adam{rate, beta1, beta2, epsilon}.check("RAdam"); }
};

/// How many gradients the variance stands for after t updates, ρ_t = ρ_∞ - 2t β₂ᵗ / (1 - β₂ᵗ) with
/// ρ_∞ = 2 / (1 - β₂) - 1. Early it is about t, the difference of two numbers of ρ_∞'s size: floats
/// would lose 5e-5 of it with β₂ = .999, and rectify an update too soon with .999999. By
/// L = -log β₂, x = tL it is (ρ_∞ - 2/L) + 2/L · h(x) with h(x) = 1 - x / (eˣ - 1), to 2e-7.
struct Rectification {
  float l, offset, slope, factor;

  explicit Rectification(float beta2) {
    const double log = -std::log(std::max(double(beta2), 1e-30));  // finite for 0 too
    const double end = 2 / (1 - double(beta2)) - 1;
    l = float(log);
    offset = float(end - 2 / log);
    slope = float(2 / log);
    factor = float(end / ((end - 4) * (end - 2)));
  }
  POLYQ_HD float count(float t) const {
    const float x = t * l, xx = x * x;
    // Near 0 the series, by Bernoulli's numbers; at 1 the first term left out is 2e-8.
    const float h =
        x < 1 ? x / 2 - xx * (1.f / 12 - xx * (1.f / 720 - xx * (1.f / 30240 - xx / 1209600)))
              : 1 - x / std::expm1(x);
    return offset + slope * h;
  }
  /// Of a count above 5, √((ρ_t - 4)(ρ_t - 2) ρ_∞ / ((ρ_∞ - 4)(ρ_∞ - 2) ρ_t)).
  POLYQ_HD float at(float count) const {
    return math::square_root((count - 4) * (count - 2) / count * factor);
  }
};

/// The step's numbers from the clock. PyTorch's step rate/(1 − β₁ᵗ) · m · r √(1 − β₂ᵗ) / (√v + ε)
/// is Adam's at another rate; that without the variance, rate/(1 − β₁ᵗ) · m, is Adam's at a rate
/// and an ε of 2^64 times as much, beside which √v below 2^40 rounds away: the same bits.
struct RAdamStep {
  RAdam settings;
  const core::Clock* clock;
  float log_beta1;
  Rectification rectification;
  float *parameters, *mean, *variance;
  const float* gradient;

  POLYQ_HD AdamElement prepare() const {
    const float t = float(clock->updates + 1), count = rectification.count(t);
    float rate = settings.rate.at(clock->env_steps) / -std::expm1(t * log_beta1);
    float epsilon = settings.epsilon;
    if (count > 5) {
      rate *= rectification.at(count) * math::square_root(-std::expm1(-t * rectification.l));
    } else {
      rate *= 0x1p64f;
      epsilon = 0x1p64f;
    }
    return {parameters, mean, variance, gradient, settings.beta1, settings.beta2, rate, epsilon};
  }
};

template <class Machine, class Shapes>
class RAdam::On {
 public:
  static constexpr std::size_t state_size = 2 * Shapes::P;

  On(const RAdam& settings, float* state)
      : settings_((settings.check(), settings)), mean_(state), variance_(state + Shapes::P) {}

  RAdamStep element(float* parameters, const float* gradient, const core::Clock* clock) const {
    // A logarithm in double: its rounding is multiplied by the number of updates.
    return {settings_,
            clock,
            float(std::log(double(settings_.beta1))),
            Rectification(settings_.beta2),
            parameters,
            mean_,
            variance_,
            gradient};
  }
  template <class After>
  void step(Machine& machine, float* parameters, const float* gradient, const core::Clock* clock,
            After after) {
    machine.for_each_element(Shapes::P, backend::Then{element(parameters, gradient, clock), after});
  }

 private:
  RAdam settings_;
  float *mean_, *variance_;
};

}  // namespace polyq::optim
