// SPDX-License-Identifier: MIT
// Decayed: any optimizer, on a gradient with an L2 penalty's (Krogh and Hertz 1992): PyTorch's
// `weight_decay` of all but AdamW.
#pragma once
#include <limits>
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

/// gradient ← gradient + decay · parameters, over any lane of values.
struct AddDecay {
  float* gradient;
  const float* parameters;
  float decay;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(gradient, i.load(gradient) + typename Lane::Value(decay) * i.load(parameters));
  }
};

/// Biases decay too. Clipped{Decayed{…}} clips what the losses gave, as clip_grad_norm_ before
/// PyTorch's step does, and runs in the same passes as without decay; Decayed{Clipped{…}} clips the
/// sum.
template <class Inner>
struct Decayed {
  Inner inner;
  float decay = 1e-4f;

  auto fields() const { return std::tie(inner, decay); }
  /// The inner settings are checked where they are taken, behind these.
  void check() const {
    require(decay >= 0 && decay < std::numeric_limits<float>::infinity(), "Decayed.decay", decay,
            "finite and >= 0");
  }

  template <class Machine, class Shapes>
  class On {
    using InnerOn = typename Inner::template On<Machine, Shapes>;
    static constexpr bool one_element = requires(InnerOn & on, float* p, const core::Clock* clock) {
      on.element(p, p, clock);
    };

   public:
    static constexpr std::size_t state_size = InnerOn::state_size;

    On(const Decayed& settings, float* state)
        : decay_((settings.check(), settings.decay)), inner_(settings.inner, state) {}

    auto element(float* parameters, float* gradient,
                 const core::Clock* clock) requires one_element {
      return backend::Then{AddDecay{gradient, parameters, decay_},
                           inner_.element(parameters, gradient, clock)};
    }
    template <class After>
    void step(Machine& machine, float* parameters, float* gradient, const core::Clock* clock,
              After after) {
      if constexpr (one_element) {
        machine.for_each_element(Shapes::P,
                                 backend::Then{element(parameters, gradient, clock), after});
      } else {
        machine.for_each_element(Shapes::P, AddDecay{gradient, parameters, decay_});
        inner_.step(machine, parameters, gradient, clock, after);
      }
    }

   private:
    float decay_;
    InnerOn inner_;
  };
};
template <class Inner>
Decayed(Inner, float) -> Decayed<Inner>;
template <class Inner>
Decayed(Inner) -> Decayed<Inner>;

}  // namespace polyq::optim
