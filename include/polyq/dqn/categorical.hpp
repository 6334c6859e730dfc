// SPDX-License-Identifier: MIT
// Categorical: C51 (Bellemare et al. 2017), the return's distribution on fixed atoms; the loss is
// the cross-entropy to the projected target. DoubleCategorical: as Rainbow (Hessel et al. 2018)
// learns it, the online network selects.
#pragma once
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/dqn/distribution.hpp"
#include "polyq/math/finite.hpp"
#include "polyq/math/projection.hpp"
#include "polyq/math/softmax.hpp"

namespace polyq::rule {

/// Returns from `low` to `high` on evenly spaced atoms. They have no default: which returns can
/// occur is the environment's.
template <int Atoms, Selector selector>
struct CategoricalOf : OfDistributions<Atoms, selector> {
  float low, high;
  constexpr CategoricalOf(float low, float high) : low(low), high(high) {}
  auto fields() const { return std::tie(low, high); }

  /// Throws SettingsError.
  void check() const {
    require(math::is_finite(low), "Categorical.low", low, "finite");
    require(math::is_finite(high) && high > low, "Categorical.high", high,
            "finite and > Categorical.low, " + shown(low));
  }

  template <int A>
  static constexpr int room = 2 * Atoms;

  /// The means [A] of one column of logits.
  template <int A>
  POLYQ_HD const float* values(const float* logits, float* means) const {
    for (int a = 0; a < A; ++a) means[a] = mean_of(logits + a * Atoms);
    return means;
  }

  template <int A, class Team>
  POLYQ_HD float learn(const Team& team, const Sample& s, float scale, float* gradient,
                       float* room) const {
    float *p = room, *target = room + Atoms;
    const int best = this->template greedy_next<A>(s, [&](const float* logits) {
      math::exponentials(team, logits, Atoms, p);
      return team.sum(Atoms, Weighted{p}) / team.sum(Atoms, math::Element{p});
    });
    math::softmax(team, s.next + best * Atoms, Atoms, p);
    const float first = (s.reward + (s.discount - 1) * low) / step();
    math::project(team, {p, Atoms, first, s.discount}, target, Atoms);
    const float* logits = s.now + s.action * Atoms;
    const float log_sum = math::softmax(team, logits, Atoms, p);
    float* const slopes = this->template clear<A>(team, s, gradient);
    team.for_each(Atoms, Slope{slopes, p, target, scale});
    return team.sum(Atoms, CrossEntropy{target, logits, log_sum});
  }

 private:
  struct Weighted {  // in atoms, as the means' order is
    const float* p;
    POLYQ_HD float operator()(int z) const { return p[z] * float(z); }
  };
  struct Slope {
    float* to;
    const float *p, *target;
    float scale;
    POLYQ_HD void operator()(int z) const { to[z] = scale * (p[z] - target[z]); }
  };
  struct CrossEntropy {
    const float *target, *logits;
    float log_sum;
    POLYQ_HD float operator()(int z) const { return target[z] * (log_sum - logits[z]); }
  };

  POLYQ_HD float step() const { return (high - low) / float(Atoms - 1); }
  POLYQ_HD float mean_of(const float* logits) const {
    float largest = logits[0];
    for (int z = 1; z < Atoms; ++z) largest = logits[z] > largest ? logits[z] : largest;
    float sum = 0, weighted = 0;
    for (int z = 0; z < Atoms; ++z) {
      const float mass = math::exponential(logits[z] - largest);
      sum += mass;
      weighted += mass * float(z);
    }
    return low + step() * (weighted / sum);
  }
};

template <int Atoms>
struct Categorical : CategoricalOf<Atoms, Selector::target> {
  using CategoricalOf<Atoms, Selector::target>::CategoricalOf;
};
template <int Atoms>
struct DoubleCategorical : CategoricalOf<Atoms, Selector::online> {
  using CategoricalOf<Atoms, Selector::online>::CategoricalOf;
};

}  // namespace polyq::rule
