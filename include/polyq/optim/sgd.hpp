// SPDX-License-Identifier: MIT
// Sgd: stochastic gradient descent with momentum in PyTorch's form, velocity ← μ·velocity + g.
#pragma once
#include <tuple>

#include "polyq/math/schedule.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

struct Sgd {
  math::Schedule rate = 1e-2f;
  float momentum = 0;

  template <class Machine, class Shapes>
  class On;  // defined below: a nested class cannot hold an unfinished Sgd

  auto fields() const { return std::tie(rate, momentum); }
  void check() const {
    rate.check_positive("Sgd.rate");
    require(momentum >= 0 && momentum < 1, "Sgd.momentum", momentum, "[0, 1)");
  }
};

/// One parameter's step, over any lane of values.
struct SgdElement {
  float *parameters, *velocity;
  const float* gradient;
  float momentum, rate;

  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    using V = typename Lane::Value;
    const V v = V(momentum) * i.load(velocity) + i.load(gradient);
    i.store(velocity, v);
    i.store(parameters, i.load(parameters) - V(rate) * v);
  }
};

/// The step's rate from the clock.
struct SgdStep {
  Sgd settings;
  const core::Clock* clock;
  float *parameters, *velocity;
  const float* gradient;
  POLYQ_HD SgdElement prepare() const {
    return {parameters, velocity, gradient, settings.momentum, settings.rate.at(clock->env_steps)};
  }
};

template <class Machine, class Shapes>
class Sgd::On {
 public:
  static constexpr std::size_t state_size = Shapes::P;

  On(const Sgd& settings, float* state)
      : settings_((settings.check(), settings)), velocity_(state) {}

  SgdStep element(float* parameters, const float* gradient, const core::Clock* clock) const {
    return {settings_, clock, parameters, velocity_, gradient};
  }
  template <class After>
  void step(Machine& machine, float* parameters, const float* gradient, const core::Clock* clock,
            After after) {
    machine.for_each_element(Shapes::P, backend::Then{element(parameters, gradient, clock), after});
  }

 private:
  Sgd settings_;
  float* velocity_;
};

}  // namespace polyq::optim
