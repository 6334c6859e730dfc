// SPDX-License-Identifier: MIT
// Shard: the unit of data parallelism: a replay, the batch sampled from it, what the networks make
// of that batch, and its gradient.
#pragma once
#include <cstddef>
#include <cstdint>

#include "polyq/core/arena.hpp"
#include "polyq/dqn/rule.hpp"
#include "polyq/math/action_mask.hpp"
#include "polyq/nn/concept.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq {

/// Views of backend memory, valid as long as the shard and where it is moved.
template <class Machine, class S, class Network, class Replay, class Rule>
class Shard {
 public:
  using Storage = typename Machine::Storage;
  using Outputs = typename S::template Outputs<S::B>;  // [A,B] for rules of values
  using Batch = replay::Batch<typename S::template Observations<S::B>>;
  using ReplayOn = typename Replay::template On<Machine, S>;

  Shard(Machine& machine, const Replay& replay, const replay::RunFacts& facts)
      : arena_(machine, places.all.bytes(), "a batch and its gradient"),
        replay_(machine, replay, facts),
        number_(facts.shard) {}

  int number() const { return number_; }  // among the shards of all ranks
  ReplayOn& replay() { return replay_; }
  float* gradient() { return arena_[places.gradient]; }           // dL/dθ [P]
  float* td() { return arena_[places.td]; }                       // δ [B]
  Outputs now() { return {arena_[places.now]}; }                  // Q(s)  [A,B]
  Outputs next() { return {arena_[places.next]}; }                // Q⁻(s′) [A,B]
  Outputs next_online() { return {arena_[places.next_online]}; }  // Q(s′) [A,B]
  Outputs now_target() { return {arena_[places.now_target]}; }    // Q⁻(s) [A,B]
  Outputs slope() { return {arena_[places.slope]}; }              // dL/d(output)
  float* room() { return arena_[places.room]; }                   // the rule's [.,B]
  float* tape() { return arena_[places.tape]; }
  /// The rule on the last batch: dL/d(output) · scale and δ.
  rule::Head<Rule, S::A, Replay::weighted, Outputs, Batch> head(const Rule& rule, float scale) {
    return {rule,    now(),   next(), next_online(), now_target(),
            batch(), slope(), td(),   room(),        scale};
  }
  Batch batch() {
    return {{arena_[places.observations]},
            {arena_[places.next_observations]},
            arena_[places.actions],
            arena_[places.rewards],
            arena_[places.discounts],
            Replay::weighted ? arena_[places.weights] : nullptr,
            arena_[places.rows],
            replay_.masked() ? arena_[places.legal] : nullptr,
            replay_.masked() ? arena_[places.legal_next] : nullptr};
  }

 private:
  struct Places {
    core::Layout all;
    core::Place<float> gradient, tape;
    core::Place<float> now, next, next_online, now_target, slope, room;
    core::Place<float> observations, next_observations, rewards, discounts, weights, td;
    core::Place<std::int32_t> actions;
    core::Place<std::int64_t> rows;
    core::Place<std::uint32_t> legal, legal_next;

    constexpr Places() {
      constexpr int B = S::B;
      constexpr std::size_t inputs = Storage::activation_size(S::O, B);
      constexpr std::size_t outputs = Storage::activation_size(Network::out, B);
      gradient = all.place<float>(S::P);
      tape = all.place<float>(Network::template tape_size<Storage, B>());
      now = all.place<float>(outputs);
      next = all.place<float>(outputs);
      next_online = all.place<float>(Rule::reads_online_next ? outputs : 0);
      now_target = all.place<float>(rule::reads_target_now<Rule>() ? outputs : 0);
      slope = all.place<float>(outputs);
      room = all.place<float>(std::size_t(rule::room_of<Rule, S::A>()) * B);
      observations = all.place<float>(inputs);
      next_observations = all.place<float>(inputs);
      rewards = all.place<float>(B);
      discounts = all.place<float>(B);
      weights = all.place<float>(Replay::weighted ? B : 0);
      td = all.place<float>(B);
      actions = all.place<std::int32_t>(B);
      rows = all.place<std::int64_t>(B);
      legal = all.place<std::uint32_t>(math::mask_words(S::A) * B);
      legal_next = all.place<std::uint32_t>(math::mask_words(S::A) * B);
    }
  };
  static constexpr Places places{};

  core::Arena<Machine> arena_;
  ReplayOn replay_;
  int number_;
};

}  // namespace polyq
