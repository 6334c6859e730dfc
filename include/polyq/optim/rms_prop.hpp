// SPDX-License-Identifier: MIT
// RmsProp (Tieleman and Hinton 2012), plain or centered (Graves 2013), with momentum in PyTorch's
// form, velocity ← μ·velocity + step.
#pragma once
#include <cstdint>
#include <limits>
#include <tuple>

#include "polyq/math/activation.hpp"
#include "polyq/math/schedule.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

/// The defaults are PyTorch's. Mnih et al. 2015 trained by {.rate = 2.5e-4f, .alpha = .95f,
/// .epsilon = .01f, .centered = true, .add_epsilon = RmsProp::AddEpsilon::under_root}.
struct RmsProp {
  /// `to_root` divides by √v + ε, as PyTorch does; `under_root` by √(v + ε), equation (40) of
  /// Graves 2013 (arXiv:1308.0850).
  enum class AddEpsilon : std::uint8_t { to_root, under_root };

  math::Schedule rate = 1e-2f;
  float alpha = .99f, epsilon = 1e-8f, momentum = 0;
  /// Divides by the gradient's standard deviation instead of its root mean square.
  bool centered = false;
  AddEpsilon add_epsilon = AddEpsilon::to_root;

  template <class Machine, class Shapes>
  class On;  // defined below: a nested class cannot hold an unfinished RmsProp

  auto fields() const { return std::tie(rate, alpha, epsilon, momentum, centered, add_epsilon); }
  void check() const {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    rate.check_positive("RmsProp.rate");
    require(alpha >= 0 && alpha < 1, "RmsProp.alpha", alpha, "[0, 1)");
    require(epsilon > 0 && epsilon < infinity, "RmsProp.epsilon", epsilon, "finite and > 0");
    require(momentum >= 0 && momentum < 1, "RmsProp.momentum", momentum, "[0, 1)");
  }
};

/// One parameter's step, over any lane of values. With centering `variance` holds what PyTorch
/// takes for it at each step, the mean of g² less the squared mean of g. That difference is mostly
/// rounding where gradients hardly change, and then may be below 0, of which there is no root; the
/// same value by its own recurrence (Finch 2009, Incremental calculation of weighted mean and
/// variance) is a sum of squares.
struct RmsPropElement {
  float *parameters, *variance;  // behind it, `size` floats each, the mean and the velocity
  const float* gradient;
  std::int64_t size;
  float alpha, epsilon, momentum, rate;
  bool centered, under_root;

  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    using V = typename Lane::Value;
    using math::square_root;
    const V g = i.load(gradient), keep(alpha), take(1 - alpha);
    V v = i.load(variance);
    if (centered) {
      float* const mean = variance + size;
      const V m = i.load(mean), distance = g - m;
      v = keep * (v + take * (distance * distance));
      i.store(mean, m + take * distance);
    } else {
      v = keep * v + take * (g * g);
    }
    i.store(variance, v);
    V step = g / (under_root ? square_root(v + V(epsilon)) : square_root(v) + V(epsilon));
    if (momentum > 0) {
      float* const velocity = variance + 2 * size;
      step = V(momentum) * i.load(velocity) + step;
      i.store(velocity, step);
    }
    i.store(parameters, i.load(parameters) - V(rate) * step);
  }
};

/// The step's rate from the clock.
struct RmsPropStep {
  RmsProp settings;
  const core::Clock* clock;
  float *parameters, *state;
  const float* gradient;
  std::int64_t size;
  POLYQ_HD RmsPropElement prepare() const {
    return {parameters,        state,
            gradient,          size,
            settings.alpha,    settings.epsilon,
            settings.momentum, settings.rate.at(clock->env_steps),
            settings.centered, settings.add_epsilon == RmsProp::AddEpsilon::under_root};
  }
};

template <class Machine, class Shapes>
class RmsProp::On {
 public:
  /// Whatever the settings use of it: they are known at run time.
  static constexpr std::size_t state_size = 3 * Shapes::P;

  On(const RmsProp& settings, float* state)
      : settings_((settings.check(), settings)), state_(state) {}

  RmsPropStep element(float* parameters, const float* gradient, const core::Clock* clock) const {
    return {settings_, clock, parameters, state_, gradient, std::int64_t(Shapes::P)};
  }
  template <class After>
  void step(Machine& machine, float* parameters, const float* gradient, const core::Clock* clock,
            After after) {
    machine.for_each_element(Shapes::P, backend::Then{element(parameters, gradient, clock), after});
  }

 private:
  RmsProp settings_;
  float* state_;
};

}  // namespace polyq::optim
