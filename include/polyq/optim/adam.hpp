// SPDX-License-Identifier: MIT
// Adam (Kingma and Ba 2015) in PyTorch's form: ε is added to the bias-corrected root.
#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include "polyq/math/activation.hpp"
#include "polyq/math/schedule.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

struct Adam {
  math::Schedule rate = 1e-3f;
  float beta1 = .9f, beta2 = .999f, epsilon = 1e-8f;

  template <class Machine, class Shapes>
  class On;  // defined below: a nested class cannot hold an unfinished Adam

  auto fields() const { return std::tie(rate, beta1, beta2, epsilon); }
  /// `name` is the optimizer's whose settings these are.
  void check(const std::string& name = "Adam") const {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    rate.check_positive(name + ".rate");
    require(beta1 >= 0 && beta1 < 1, name + ".beta1", beta1, "[0, 1)");
    require(beta2 >= 0 && beta2 < 1, name + ".beta2", beta2, "[0, 1)");
    require(epsilon > 0 && epsilon < infinity, name + ".epsilon", epsilon, "finite and > 0");
  }
};

/// One parameter's step, over any lane of values.
struct AdamElement {
  float *parameters, *mean, *variance;
  const float* gradient;
  float beta1, beta2, rate, epsilon;

  /// Moves the moments on; what is to be taken off the parameter.
  template <class Lane>
  POLYQ_HD typename Lane::Value step(Lane i) const {
    using V = typename Lane::Value;
    using math::square_root;
    const V g = i.load(gradient);
    const V m = V(beta1) * i.load(mean) + V(1 - beta1) * g;
    const V v = V(beta2) * i.load(variance) + V(1 - beta2) * (g * g);
    i.store(mean, m);
    i.store(variance, v);
    return V(rate) * m / (square_root(v) + V(epsilon));
  }
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(parameters, i.load(parameters) - step(i));
  }
};

/// The step's numbers from the clock. With r = √(1 − β₂ᵗ) the published step
/// rate/(1 − β₁ᵗ) · m / (√v/r + ε) equals rate·r/(1 − β₁ᵗ) · m / (√v + ε·r): one division less.
struct AdamStep {
  Adam settings;
  const core::Clock* clock;
  float log_beta1, log_beta2;
  float *parameters, *mean, *variance;
  const float* gradient;

  POLYQ_HD AdamElement prepare() const {
    const float t = float(clock->updates + 1);
    const float root = std::sqrt(-std::expm1(t * log_beta2));
    const float rate = settings.rate.at(clock->env_steps) * root / -std::expm1(t * log_beta1);
    return {parameters,     mean,           variance, gradient,
            settings.beta1, settings.beta2, rate,     settings.epsilon * root};
  }
};

template <class Machine, class Shapes>
class Adam::On {
 public:
  static constexpr std::size_t state_size = 2 * Shapes::P;

  On(const Adam& settings, float* state)
      : settings_((settings.check(), settings)), mean_(state), variance_(state + Shapes::P) {}

  AdamStep element(float* parameters, const float* gradient, const core::Clock* clock) const {
    // Logarithms in double: their rounding is multiplied by the number of updates.
    return {settings_,
            clock,
            float(std::log(double(settings_.beta1))),
            float(std::log(double(settings_.beta2))),
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
  Adam settings_;
  float *mean_, *variance_;
};

}  // namespace polyq::optim
