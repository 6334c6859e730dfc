// SPDX-License-Identifier: MIT
// Replay: stores every step of every environment and samples transitions. Rows: what acting
// writes; Batch: what the update reads.
#pragma once
#include <concepts>
#include <cstdint>

#include "polyq/backend/concept.hpp"
#include "polyq/core/clock.hpp"
#include "polyq/math/reward.hpp"

namespace polyq::replay {

/// One step of N environments; Observations is the backend's [O, N]. `next` is the observation
/// before any reset. Row number = rows before this step + environment.
template <class Observations>
struct Rows {
  Observations observations, next;
  std::int32_t* actions;
  float* rewards;
  std::uint8_t *terminated, *truncated;
  // Of `observations` and of `next` [mask_words(A), N]; null where every action is legal.
  const std::uint32_t *legal = nullptr, *legal_next = nullptr;
};

/// B sampled transitions, Observations the backend's [O, B]. The bootstrapped target is
/// reward + discount · Q(next): a termination has discount 0, a truncation has not.
template <class Observations>
struct Batch {
  Observations observations, next;
  std::int32_t* actions;
  float *rewards, *discounts;
  float* weights;      // of the gradient; only where the replay is `weighted`, else null
  std::int64_t* rows;  // row numbers, counted from the first env step of the shard
  // Masks at s and s′ [mask_words(A), B]; null where every action is legal.
  std::uint32_t *legal = nullptr, *legal_next = nullptr;
};

/// What a replay must know of the run: γ, the seed of its draws, the reward that is learned from,
/// and which shard of how many it stores. Its capacity is the run's, its part of it 1 / shards; no
/// two shards share a draw.
struct RunFacts {
  float discount;
  std::uint64_t seed;
  math::RewardTransform reward;
  int shard = 0, shards = 1;
};

/// - On(machine, settings, facts) checks the settings (SettingsError) and owns the stored rows.
/// - attach(N, masked) once, before the first push: N environments push at a time, with masks of
///   legal actions where `masked`. push, sample and reprioritize enqueue; sample before attach
///   throws, since a recording freezes sizes. masked(), rows_needed(): whether masks are stored;
///   rows that must have been pushed before the first sample.
/// - cut(machine, clock): the environments begin anew; no transition goes on from the rows that
///   were pushed so far. Enqueues.
/// - reprioritize(machine, batch, td [B]): what the rule's learn returned for the batch.
/// - refuse_faults(machine), if it has one: throws what went wrong where nothing can be thrown.
///   Waits; train calls it at a chunk's end.
/// - weighted: whether sample writes Batch::weights. steps: rows that a transition spans.
template <class R, class Machine, class Shapes>
concept ReplayOn = std::
    constructible_from<typename R::template On<Machine, Shapes>, Machine&, R, RunFacts>&& requires(
        typename R::template On<Machine, Shapes>& on, Machine& machine, const core::Clock* clock,
        Rows<typename Shapes::template Observations<1>> rows,
        Batch<typename Shapes::template Observations<Shapes::B>> batch, const float* td) {
  { R::weighted } -> std::convertible_to<bool>;
  { R::batch_size } -> std::convertible_to<int>;
  { R::steps } -> std::convertible_to<int>;
  on.attach(std::int64_t{1}, false);
  on.cut(machine, clock);
  { on.masked() } -> std::same_as<bool>;
  { on.rows_needed() } -> std::same_as<std::int64_t>;
  on.push(machine, clock, rows);
  on.sample(machine, clock, batch);
  on.reprioritize(machine, batch, td);
};

}  // namespace polyq::replay
