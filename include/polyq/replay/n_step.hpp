// SPDX-License-Identifier: MIT
// NStep: transitions of several steps (Sutton 1988; Hessel et al. 2018), from any replay whose On
// can fold them.
#pragma once
#include <tuple>

#include "polyq/replay/concept.hpp"

namespace polyq::replay {

/// Up to `Steps` rows of one environment make one transition; an episode's end makes it shorter, a
/// truncation still bootstraps. The newest (Steps - 1) rows of each environment are not sampled
/// yet.
template <int Steps, class Inner>
struct NStep {
  static_assert(Steps > 0, "polyq::replay::NStep: the number of steps is below 1; NStep<3, ...>");
  static_assert(Inner::steps == 1,
                "polyq::replay::NStep: it stands in another NStep; one of them, NStep<3, ...>");
  static constexpr int batch_size = Inner::batch_size, steps = Steps;
  static constexpr bool weighted = Inner::weighted;

  Inner inner;

  auto fields() const { return std::tie(inner); }

  template <class Machine, class Shapes>
  class On : public Inner::template On<Machine, Shapes, Steps> {
   public:
    On(Machine& machine, const NStep& settings, RunFacts facts)
        : Inner::template On<Machine, Shapes, Steps>(machine, settings.inner, facts) {}
  };
};

}  // namespace polyq::replay
