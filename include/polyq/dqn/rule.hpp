// SPDX-License-Identifier: MIT
// Rules: what an update learns from a sample, and the two of Q-learning. A rule writes the gradient
// of its loss into the network's output and says which values an action is chosen by.
#pragma once
#include <concepts>
#include <cstdint>
#include <tuple>

#include "polyq/backend/concept.hpp"
#include "polyq/math/loss.hpp"
#include "polyq/math/td.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq::rule {

/// One sample as a rule sees it: the networks' outputs at s and s′, and the transition. `next` is
/// the target network's; `next_online` and `now_target` are null unless the rule reads them.
struct Sample {
  const float *now, *next, *next_online;
  int action;
  float reward, discount;
  const float* now_target = nullptr;
  // Masks of the actions at s and s′; null where every action is legal.
  const std::uint32_t *legal = nullptr, *legal_next = nullptr;
};

/// Whether the rule works on a sample as a team: it names the floats of `room` that it needs.
template <class R, int A>
concept TeamRule = requires {
  { R::template room<A> } -> std::convertible_to<int>;
};
template <class R, int A>
consteval int room_of() {
  if constexpr (TeamRule<R, A>) {
    return R::template room<A>;
  } else {
    return 0;
  }
}

/// Whether the target network is asked at s too.
template <class R>
consteval bool reads_target_now() {
  if constexpr (requires { R::reads_target_now; }) {
    return R::reads_target_now;
  } else {
    return false;
  }
}

/// Whether the rule's source defines it for transitions of one step alone.
template <class R>
consteval bool one_step() {
  if constexpr (requires { R::one_step; }) {
    return R::one_step;
  } else {
    return false;
  }
}

template <class R, int A>
concept LearnsAlone = requires(const R& rule, const Sample& sample, float* write) {
  { rule.template learn<A>(sample, 1.f, write) } -> std::same_as<float>;
};
template <class R, int A>
concept LearnsAsTeam = TeamRule<R, A> &&
    requires(const R& rule, const Sample& sample, float* write) {
  {
    rule.template learn<A>(backend::SerialTeam{}, sample, 1.f, write, write)
    } -> std::same_as<float>;
};

/// - reads_online_next: whether the online network is asked at s′ too; accepts<Network>.
/// - values<A>(output, room [A]): the values [A] that an action is chosen by.
/// - learn<A>(sample, scale, gradient): writes dL/d(output) · scale and returns δ, or the loss of a
///   distribution: the error that priorities are made of. Where the rule has room<A>, a number of
///   floats, a team shares the sample: learn<A>(team, sample, scale, gradient, room).
/// - check(): throws SettingsError.
/// - if it has them: reads_target_now, whether the target network is asked at s; one_step, whether
///   transitions of several steps are refused.
template <class R, class Network>
concept RuleOn = requires(const R& rule, const float* read, float* write) {
  { R::reads_online_next } -> std::convertible_to<bool>;
  { R::template accepts<Network> } -> std::convertible_to<bool>;
  { rule.template values<Network::action_count>(read, write) } -> std::same_as<const float*>;
  rule.check();
}
&&(LearnsAlone<R, Network::action_count> || LearnsAsTeam<R, Network::action_count>);

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
    const float error =
        math::td_error(s.now, s.action, s.reward, s.discount, s.next, selector, A, s.legal_next);
    const float slope = scale * loss.slope(error);
    for (int a = 0; a < A; ++a) gradient[a] = a == s.action ? slope : 0.f;
    return error;
  }
};

/// Q-learning with a target network (Mnih et al. 2015): the target network selects and values.
template <class Loss = math::Squared>
struct QLearning : OfValues<Loss> {
  static_assert(math::Loss<Loss>,
                "polyq::rule::QLearning: its argument is not a loss; math::Squared{}, "
                "math::Huber{} and math::Absolute{} are");
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
  static_assert(math::Loss<Loss>,
                "polyq::rule::DoubleQLearning: its argument is not a loss; math::Squared{}, "
                "math::Huber{} and math::Absolute{} are");
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
  static constexpr bool by_team = TeamRule<Rule, A>;
  Rule rule;
  Outputs now, next, next_online, now_target;
  Batch batch;
  Outputs gradient;
  float *td, *room;
  float scale;

  POLYQ_HD void operator()(std::int64_t i) const {
    const int b = int(i);
    td[b] = rule.template learn<A>(sample(b), weighted_scale(b), gradient.column(b));
  }
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t i) const {
    const int b = int(i);
    const float error = rule.template learn<A>(team, sample(b), weighted_scale(b),
                                               gradient.column(b), room + b * room_of<Rule, A>());
    team.for_each(1, Keep{td + b, error});
  }

 private:
  struct Keep {
    float* to;
    float value;
    POLYQ_HD void operator()(int) const { *to = value; }
  };
  POLYQ_HD float weighted_scale(int b) const { return Weighted ? scale * batch.weights[b] : scale; }
  POLYQ_HD Sample sample(int b) const {
    constexpr int words = math::mask_words(A);
    return {now.column(b),
            next.column(b),
            Rule::reads_online_next ? next_online.column(b) : nullptr,
            batch.actions[b],
            batch.rewards[b],
            batch.discounts[b],
            reads_target_now<Rule>() ? now_target.column(b) : nullptr,
            batch.legal == nullptr ? nullptr : batch.legal + b * words,
            batch.legal_next == nullptr ? nullptr : batch.legal_next + b * words};
  }
};

/// Runs a head over a batch. Enqueues.
template <class Machine, class H>
void enqueue_head(Machine& machine, std::int64_t samples, const H& head) {
  if constexpr (H::by_team) {
    machine.for_each_team(samples, head);
  } else {
    machine.for_each(samples, head);
  }
}

}  // namespace polyq::rule
