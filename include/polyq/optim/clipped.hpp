// SPDX-License-Identifier: MIT
// Clipped: any optimizer, on a gradient scaled to a global norm (Pascanu et al. 2013) in the form
// of torch.nn.utils.clip_grad_norm_.
#pragma once
#include <limits>
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/math/activation.hpp"
#include "polyq/optim/concept.hpp"

namespace polyq::optim {

/// The square of an element, over any lane of values.
struct SquareOf {
  const float* values;
  template <class Lane>
  POLYQ_HD typename Lane::Value operator()(Lane i) const {
    const auto value = i.load(values);
    return value * value;
  }
};

/// values ← values · min(1, limit / (√square_sum + 1e-6))
struct ScaleToNorm {
  float* values;
  const float* square_sum;
  float limit;

  struct Element {
    float* values;
    float factor;
    bool active;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      i.store(values, i.load(values) * typename Lane::Value(factor));
    }
  };
  POLYQ_HD Element prepare() const {
    const float factor = limit / (math::square_root(*square_sum) + 1e-6f);
    return {values, factor, factor < 1};
  }
};

template <class Inner>
struct Clipped {
  Inner inner;
  float max_norm = 10;

  auto fields() const { return std::tie(inner, max_norm); }

  template <class Machine, class Shapes>
  class On {
    using InnerOn = typename Inner::template On<Machine, Shapes>;

   public:
    static constexpr std::size_t state_size = InnerOn::state_size + 1;

    On(const Clipped& settings, float* state)
        : inner_(settings.inner, state),
          square_sum_(state + InnerOn::state_size),
          max_norm_(settings.max_norm) {
      require(max_norm_ > 0 && max_norm_ < std::numeric_limits<float>::infinity(),
              "Clipped.max_norm", max_norm_, "finite and > 0");
    }

    template <class After>
    void step(Machine& machine, float* parameters, float* gradient, const core::Clock* clock,
              After after) {
      machine.sum(Shapes::P, SquareOf{gradient}, square_sum_);
      const ScaleToNorm scale{gradient, square_sum_, max_norm_};
      if constexpr (requires { inner_.element(parameters, gradient, clock); }) {
        const backend::Then step{scale, inner_.element(parameters, gradient, clock)};
        machine.for_each_element(Shapes::P, backend::Then{step, after});
      } else {
        machine.for_each_element(Shapes::P, scale);
        inner_.step(machine, parameters, gradient, clock, after);
      }
    }

   private:
    InnerOn inner_;
    float* square_sum_;
    float max_norm_;
  };
};
template <class Inner>
Clipped(Inner, float) -> Clipped<Inner>;
template <class Inner>
Clipped(Inner) -> Clipped<Inner>;

}  // namespace polyq::optim
