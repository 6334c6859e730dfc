// SPDX-License-Identifier: MIT
// AdamW (Loshchilov and Hutter 2019) in PyTorch's form: Adam beside a decay of the parameters by
// rate · decay, which the moments do not see.
#pragma once
#include <limits>
#include <tuple>

#include "polyq/math/schedule.hpp"
#include "polyq/optim/adam.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

struct AdamW {
  math::Schedule rate = 1e-3f;
  float beta1 = .9f, beta2 = .999f, epsilon = 1e-8f;
  float decay = 1e-2f;

  template <class Machine, class Shapes>
  class On;  // defined below: a nested class cannot hold an unfinished AdamW

  auto fields() const { return std::tie(rate, beta1, beta2, epsilon, decay); }
  void check() const {
    adam().check("AdamW");
    require(decay >= 0 && decay < std::numeric_limits<float>::infinity(), "AdamW.decay", decay,
            "finite and >= 0");
  }
  /// The same without the decay.
  Adam adam() const { return {rate, beta1, beta2, epsilon}; }
};

/// One parameter's step, over any lane of values: Adam's and `shrink` · parameter are taken off.
/// Multiplied by 1 - shrink all parameters would decay at another rate: 1e-5 off by 1e-3 of it,
/// 1e-6 by 1e-2.
struct AdamWElement {
  AdamElement adam;
  float shrink;

  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    const auto p = i.load(adam.parameters);
    i.store(adam.parameters, p - (typename Lane::Value(shrink) * p + adam.step(i)));
  }
};

/// The step's numbers from the clock.
struct AdamWStep {
  AdamStep adam;
  float decay;
  POLYQ_HD AdamWElement prepare() const {
    return {adam.prepare(), adam.settings.rate.at(adam.clock->env_steps) * decay};
  }
};

template <class Machine, class Shapes>
class AdamW::On {
  using AdamOn = Adam::On<Machine, Shapes>;

 public:
  static constexpr std::size_t state_size = AdamOn::state_size;

  On(const AdamW& settings, float* state)
      : decay_((settings.check(), settings.decay)), adam_(settings.adam(), state) {}

  AdamWStep element(float* parameters, const float* gradient, const core::Clock* clock) const {
    return {adam_.element(parameters, gradient, clock), decay_};
  }
  template <class After>
  void step(Machine& machine, float* parameters, const float* gradient, const core::Clock* clock,
            After after) {
    machine.for_each_element(Shapes::P, backend::Then{element(parameters, gradient, clock), after});
  }

 private:
  float decay_;
  AdamOn adam_;
};

}  // namespace polyq::optim
