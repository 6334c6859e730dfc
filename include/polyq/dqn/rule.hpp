// SPDX-License-Identifier: MIT
// Rules: what an update learns from a sample. A rule writes the gradient of its loss into the
// network's output and says which values an action is chosen by.
#pragma once
#include <concepts>
#include <cstdint>
#include <tuple>

#include "polyq/math/loss.hpp"
#include "polyq/math/td.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq::rule {

/// One sample as a rule sees it: the network's outputs at s and s′, and the transition.
/// `next_online` is null unless the rule reads it.
struct Sample {
  const float *now, *next, *next_online;
  int action;
  float reward, discount;
};

/// - reads_online_next: whether the online network is asked at s′ too; accepts<Network>.
/// - values<A>(output, room [A]): the values [A] that an action is chosen by.
/// - learn<A>(sample, scale, gradient): writes dL/d(output) · scale and returns δ.
/// - check(): throws SettingsError.
template <class R, class Network>
concept RuleOn = requires(const R& rule, const Sample& sample, const float* read, float* write) {
  { R::reads_online_next } -> std::convertible_to<bool>;
  { R::template accepts<Network> } -> std::convertible_to<bool>;
  { rule.template values<Network::action_count>(read, write) } -> std::same_as<const float*>;
  { rule.template learn<Network::action_count>(sample, 1.f, write) } -> std::same_as<float>;
  rule.check();
};

/// What rules share whose network output is Q [A].
template <class Loss>
struct OfValues {
  template <class Network>
  static constexpr bool accepts = Network::out == Network::action_count;

  /// Q [A] of one column of the output, for acting, evaluation and export; `room` is [A].
  template <int A>
  POLYQ_HD static const float* values(const float* output, float* /*room*/) {
    return output;
  }

 protected:
  /// Writes dL/d(output) · scale into `gradient` [A] and returns δ.
  template <int A>
  POLYQ_HD static float learn(const Loss& loss, const Sample& s, const float* selector, float scale,
                              float* gradient) {
    const float error = math::td_error(s.now, s.action, s.reward, s.discount, s.next, selector, A);
    const float slope = scale * loss.slope(error);
    for (int a = 0; a < A; ++a) gradient[a] = a == s.action ? slope : 0.f;
    return error;
  }
};

/// Q-learning with a target network (Mnih et al. 2015): the target network selects and values.
template <class Loss = math::Squared>
struct QLearning : OfValues<Loss> {
  static constexpr bool reads_online_next = false;
  Loss loss;
  constexpr QLearning(Loss l = {}) : loss(l) {}
  auto fields() const { return std::tie(loss); }
  void check() const { loss.check(); }

  template <int A>
  POLYQ_HD float learn(const Sample& s, float scale, float* gradient) const {
    return OfValues<Loss>::template learn<A>(loss, s, s.next, scale, gradient);
  }
};

/// Double Q-learning (van Hasselt et al. 2016): the online network selects, the target values.
template <class Loss = math::Squared>
struct DoubleQLearning : OfValues<Loss> {
  static constexpr bool reads_online_next = true;
  Loss loss;
  constexpr DoubleQLearning(Loss l = {}) : loss(l) {}
  auto fields() const { return std::tie(loss); }
  void check() const { loss.check(); }

  template <int A>
  POLYQ_HD float learn(const Sample& s, float scale, float* gradient) const {
    return OfValues<Loss>::template learn<A>(loss, s, s.next_online, scale, gradient);
  }
};

// Written out, since clang 14 finds no class arguments from defaults alone.
QLearning()->QLearning<>;
template <class Loss>
QLearning(Loss) -> QLearning<Loss>;
DoubleQLearning()->DoubleQLearning<>;
template <class Loss>
DoubleQLearning(Loss) -> DoubleQLearning<Loss>;

/// The rule on column i of a batch: writes dL/d(output) [out] and δ. A sample's weight multiplies
/// the gradient, never δ.
template <class Rule, int A, bool Weighted, class Outputs, class Batch>
struct Head {
  Rule rule;
  Outputs now, next, next_online;
  Batch batch;
  Outputs gradient;
  float* td;
  float scale;

  POLYQ_HD void operator()(std::int64_t i) const {
    const int b = int(i);
    const float weight = Weighted ? batch.weights[i] : 1.f;
    const Sample sample{now.column(b),
                        next.column(b),
                        Rule::reads_online_next ? next_online.column(b) : nullptr,
                        batch.actions[i],
                        batch.rewards[i],
                        batch.discounts[i]};
    td[i] = rule.template learn<A>(sample, scale * weight, gradient.column(b));
  }
};

}  // namespace polyq::rule
