// SPDX-License-Identifier: MIT
// Environment: a trivially copyable value of pure functions, for host and device alike.
// EnvironmentsOn: N of anything on a machine, as acting and evaluation drive them.
#pragma once
#include <concepts>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>

#include "polyq/backend/concept.hpp"
#include "polyq/core/clock.hpp"
#include "polyq/core/random.hpp"
#include "polyq/math/action_mask.hpp"

namespace polyq::env {

/// Both flags may be set; then the episode counts as terminated.
struct Outcome {
  float reward;
  bool terminated, truncated;
};

/// What counts as solved: a mean greedy return of `solved`; early stopping asks for `stop`, a
/// little more, so that an agent that stopped is solved on other seeds too.
struct Goal {
  double solved, stop;
  auto fields() const { return std::tie(solved, stop); }
};

/// Settings are members; `reset` and `step` draw only from `random`. An environment may also have
/// `static constexpr Goal goal`, and `legal(state)`, a math::ActionMask<action_count> of the
/// actions that may be taken at a state, at least one unless it is final: no other is then chosen,
/// nor looked at in a maximum.
template <class E>
concept Environment = std::is_trivially_copyable_v<E> &&
    std::is_trivially_copyable_v<typename E::State> &&
    requires(const E& e, typename E::State& state, const typename E::State& seen,
             core::Random random, float* out) {
  { E::name } -> std::convertible_to<const char*>;
  { E::observation_size } -> std::convertible_to<int>;
  { E::action_count } -> std::convertible_to<int>;
  { e.reset(random) } -> std::same_as<typename E::State>;
  { e.step(state, std::int32_t{}, random) } -> std::same_as<Outcome>;
  e.observe(seen, out);
};

/// What one step of N environments writes: arrays of N, observations the backend's [O, N].
template <class Observations>
struct Stepped {
  Observations next, observations;  // before and after any reset
  float* rewards;
  std::uint8_t *terminated, *truncated;  // never both
  // Masks of `observations` and of `next` [mask_words(A), N]; null for environments without.
  std::uint32_t *legal = nullptr, *legal_next = nullptr;
};

/// Whether environments say which actions are legal: V::masked, false where it says nothing.
template <class V>
consteval bool masked() {
  if constexpr (requires { V::masked; }) {
    return V::masked;
  } else {
    return false;
  }
}

/// - Source: the Environment or HostEnvironment behind it.
/// - recordable: step only enqueues; a host simulator's step waits.
/// - evaluation(): the environments on which greedy episodes run.
/// - On(machine, environments, seed, first_lane): lanes are numbered over all shards, this shard's
///   from first_lane on, and draw by that number; reset(machine, clock, out) starts every lane anew
///   and writes out.observations and their masks.
/// - step(machine, clock, actions, out, after): steps every lane and restarts those that ended.
///   The index functor `after` runs behind each lane's step and may read what that lane wrote.
///   Draws are numbered by the clock's env steps, which the caller advances by `count` or more a
///   step.
template <class V, class Machine, class Observations>
concept EnvironmentsOn = requires(const V& environments, typename V::template On<Machine>& on,
                                  Machine& machine, const core::Clock* clock,
                                  const std::int32_t* actions, Stepped<Observations> out) {
  typename V::Source;
  { V::recordable } -> std::convertible_to<bool>;
  { V::count } -> std::convertible_to<int>;
  { V::observation_size } -> std::convertible_to<int>;
  { V::action_count } -> std::convertible_to<int>;
  environments.evaluation();
  requires std::constructible_from<typename V::template On<Machine>, Machine&, const V&,
                                   std::uint64_t, std::uint32_t>;
  on.reset(machine, clock, out);
  on.step(machine, clock, actions, out, backend::probe::Each{});
};

/// The goal that an environment names, if it names one.
template <class Source>
constexpr std::optional<Goal> goal_of() {
  if constexpr (requires { Source::goal; }) {
    return Source::goal;
  } else {
    return std::nullopt;
  }
}

}  // namespace polyq::env
