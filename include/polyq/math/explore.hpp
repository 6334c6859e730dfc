// SPDX-License-Identifier: MIT
// Choosing actions: the greedy one, lowest index first among equals, and ε-greedy; both among those
// that are legal.
#pragma once
#include <cstdint>

#include "polyq/math/action_mask.hpp"

namespace polyq::math {

template <class V>
POLYQ_HD int argmax(const V* values, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) best = values[i] > values[best] ? i : best;
  return best;
}

/// Among the legal; 0 where none is.
template <class V>
POLYQ_HD int argmax(const V* values, int count, const std::uint32_t* legal) {
  if (legal == nullptr) return argmax(values, count);
  int best = -1;
  for (int i = 0; i < count; ++i)
    if (allows(legal, i) && (best < 0 || values[i] > values[best])) best = i;
  return best < 0 ? 0 : best;
}

/// `draw` is uniform in [0, 1).
template <class V>
POLYQ_HD int epsilon_greedy(const V* values, int count, const std::uint32_t* legal, float epsilon,
                            float draw, int random_action) {
  return draw < epsilon ? random_action : argmax(values, count, legal);
}

}  // namespace polyq::math
