// SPDX-License-Identifier: MIT
// Observer: whatever watches a run from outside, told at each chunk's end and of each evaluation.
#pragma once
#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

#include "polyq/dqn/actor.hpp"

namespace polyq {

/// What is known at a chunk's end.
struct Chunk {
  std::uint64_t env_steps, total_env_steps, updates;  // since the run began, and its budget
  double seconds;                                     // since the run began
  float exploration;                                  // ε now
  double training_return;  // mean of the last 100 training episodes; NaN before the first ended
  std::span<const EpisodeEnd> episodes;  // that ended in this chunk, in order
  float largest_value;                   // |Q| in the last update's batch
  float value_bound;  // r_max / (1 − γ), of the largest reward so far; infinite for γ = 1
};

/// Of the undiscounted returns of greedy episodes.
struct Score {
  double mean = 0, deviation = 0;
  int episodes = 0;
};

/// A periodic evaluation, on the seeds that choose the best agent.
struct Evaluation {
  std::uint64_t env_steps;  // since the run began
  Score score;
};

/// on_chunk returns nothing, or false to end the run after this chunk. An observer may also have
/// on_evaluation(evaluation).
template <class O>
concept Observer = requires(O& observer, const Chunk& chunk) {
  observer.on_chunk(chunk);
};

/// Whether the observer lets the run go on.
template <Observer O>
bool lets_go_on(O& observer, const Chunk& chunk) {
  if constexpr (std::is_void_v<decltype(observer.on_chunk(chunk))>) {
    observer.on_chunk(chunk);
    return true;
  } else {
    return observer.on_chunk(chunk);
  }
}

template <Observer O>
void tell(O& observer, const Evaluation& evaluation) {
  if constexpr (requires { observer.on_evaluation(evaluation); })
    observer.on_evaluation(evaluation);
}

}  // namespace polyq
