// SPDX-License-Identifier: MIT
// Softmax: probabilities from logits, shared by a team, and the soft maximum of values.
#pragma once
#include <cmath>
#include <cstdint>

#include "polyq/math/action_mask.hpp"
#include "polyq/math/exponential.hpp"
#include "polyq/math/items.hpp"

namespace polyq::math {

/// to[k] ← exp(values[k] - shift)
struct ExponentialAbove {
  float* to;
  const float* values;
  float shift;
  POLYQ_HD void operator()(int k) const { to[k] = exponential(values[k] - shift); }
};

/// to [n] ← exp(logits - their largest), which is returned.
template <class Team>
POLYQ_HD float exponentials(const Team& team, const float* logits, int n, float* to) {
  const float largest = team.max(n, Element{logits});
  team.for_each(n, ExponentialAbove{to, logits, largest});
  return largest;
}

/// Writes softmax(logits) [n] into `probabilities` [n]; returns log Σ exp(logits).
template <class Team>
POLYQ_HD float softmax(const Team& team, const float* logits, int n, float* probabilities) {
  const float largest = exponentials(team, logits, n, probabilities);
  const float sum = team.sum(n, Element{probabilities});
  team.for_each(n, Scale{probabilities, 1 / sum});
  return largest + std::log(sum);
}

/// temperature · log Σ exp(values / temperature) as the largest value and what is above it: their
/// sum would lose digits of the second.
template <class V>
struct SoftMaximum {
  V largest, above;
  POLYQ_HD V value() const { return largest + above; }
};

/// Over the legal actions, 0 ≤ a < actions; where none is, at a final state, it is values[0].
/// temperature > 0.
template <class V>
POLYQ_HD SoftMaximum<V> soft_maximum(const V* values, int actions, V temperature,
                                     const std::uint32_t* legal) {
  V largest = values[nth_legal(legal, actions, 0)];
  for (int a = 0; a < actions; ++a)
    if (allows(legal, a) && values[a] > largest) largest = values[a];
  V sum = 0;
  for (int a = 0; a < actions; ++a)
    if (allows(legal, a)) sum += std::exp((values[a] - largest) / temperature);
  return {largest, sum > 0 ? temperature * std::log(sum) : V(0)};
}

}  // namespace polyq::math
