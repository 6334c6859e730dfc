// SPDX-License-Identifier: MIT
// Optimizer: a settings value; its On<Machine, Shapes> views its state in the arena and steps the
// parameters.
#pragma once
#include <concepts>
#include <cstddef>

#include "polyq/backend/concept.hpp"
#include "polyq/core/clock.hpp"

namespace polyq::optim {

/// - On::state_size: floats of state, zero at the start; On(settings, state) checks the settings
///   (SettingsError).
/// - step(machine, parameters [P], gradient [P], clock, after): enqueues. The gradient is the mean
///   over everything and may be changed in place; `after` is an element functor that runs behind
///   each parameter's step.
/// - where the step is one element functor, On may also have element(parameters, gradient, clock),
///   which returns it: then Clipped scales, and Decayed adds, in the step's pass.
template <class O, class Machine, class Shapes>
concept OptimizerOn = requires(typename O::template On<Machine, Shapes>& on, Machine& machine,
                               float* parameters, float* gradient, const core::Clock* clock) {
  { O::template On<Machine, Shapes>::state_size } -> std::convertible_to<std::size_t>;
  on.step(machine, parameters, gradient, clock, backend::probe::Element{});
}
&&std::constructible_from<typename O::template On<Machine, Shapes>, O, float*>;

}  // namespace polyq::optim
