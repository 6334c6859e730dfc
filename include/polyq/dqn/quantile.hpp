// SPDX-License-Identifier: MIT
// Quantile: QR-DQN (Dabney et al. 2018), the return's distribution by quantiles of equal mass,
// moved by the quantile regression of a loss. DoubleQuantile: the online network selects.
#pragma once
#include <tuple>

#include "polyq/dqn/distribution.hpp"
#include "polyq/math/items.hpp"
#include "polyq/math/loss.hpp"
#include "polyq/math/quantile_regression.hpp"

namespace polyq::rule {

/// Loss: of the difference between a quantile and a target, weighed by |τ - 1{difference < 0}|, the
/// mean over targets, the sum over quantiles; math::Huber is the paper's, math::Absolute its κ = 0.
template <int Quantiles, class Loss, Selector selector>
struct QuantileOf : OfDistributions<Quantiles, selector> {
  static_assert(math::Loss<Loss>,
                "polyq::rule::Quantile: its second argument is not a loss; math::Huber is one");
  Loss loss;
  constexpr QuantileOf(Loss l = {}) : loss(l) {}
  auto fields() const { return std::tie(loss); }
  void check() const { loss.check(); }

  template <int A>
  static constexpr int room = 2 * Quantiles;

  /// The means [A] of one column of quantiles.
  template <int A>
  POLYQ_HD static const float* values(const float* quantiles, float* means) {
    for (int a = 0; a < A; ++a) {
      float sum = 0;
      for (int k = 0; k < Quantiles; ++k) sum += quantiles[a * Quantiles + k];
      means[a] = sum / Quantiles;
    }
    return means;
  }

  template <int A, class Team>
  POLYQ_HD float learn(const Team& team, const Sample& s, float scale, float* gradient,
                       float* room) const {
    float *targets = room, *losses = room + Quantiles;
    const int best = this->template greedy_next<A>(
        s, [&](const float* quantiles) { return team.sum(Quantiles, math::Element{quantiles}); });
    team.for_each(Quantiles, Bootstrap{targets, s.next + best * Quantiles, s.reward, s.discount});
    const Regression regression{loss, s.now + s.action * Quantiles, losses,
                                this->template clear<A>(team, s, gradient)};
    team.for_each(Quantiles, math::Clear{losses});
    constexpr int whole = Quantiles / block * block;
    for (int j = 0; j < whole; j += block) add<block>(team, regression, targets + j);
    if constexpr (whole < Quantiles) add<Quantiles - whole>(team, regression, targets + whole);
    team.for_each(Quantiles, math::Scale{regression.slopes, scale / Quantiles});
    return team.sum(Quantiles, math::Element{losses}) / Quantiles;
  }

 private:
  // Targets that are added at a time to all quantiles: loops over quantiles become vectors, with
  // these in registers.
  static constexpr int block = 8;

  struct Bootstrap {
    float* targets;
    const float* next;
    float reward, discount;
    POLYQ_HD void operator()(int k) const { targets[k] = reward + discount * next[k]; }
  };
  struct Regression {
    Loss loss;
    const float* quantiles;
    float *losses, *slopes;
  };
  template <int Count>
  struct Add {
    Regression to;
    float targets[Count];
    POLYQ_HD void operator()(int k) const {
      const float quantile = to.quantiles[k], tau = (float(k) + .5f) / Quantiles;
      math::QuantileSums sums{to.losses[k], to.slopes[k]};
      for (int j = 0; j < Count; ++j) sums.add(to.loss, quantile, tau, targets[j]);
      to.losses[k] = sums.loss;
      to.slopes[k] = sums.slope;
    }
  };
  template <int Count, class Team>
  POLYQ_HD static void add(const Team& team, const Regression& to, const float* targets) {
    Add<Count> some{to, {}};
    for (int j = 0; j < Count; ++j) some.targets[j] = targets[j];
    team.for_each(Quantiles, some);
  }
};

template <int Quantiles, class Loss = math::Huber>
struct Quantile : QuantileOf<Quantiles, Loss, Selector::target> {
  using QuantileOf<Quantiles, Loss, Selector::target>::QuantileOf;
};
template <int Quantiles, class Loss = math::Huber>
struct DoubleQuantile : QuantileOf<Quantiles, Loss, Selector::online> {
  using QuantileOf<Quantiles, Loss, Selector::online>::QuantileOf;
};

}  // namespace polyq::rule
