// SPDX-License-Identifier: MIT
// Choosing actions: the greedy one, lowest index first among equals, and ε-greedy.
#pragma once
#include "polyq/core/config.hpp"

namespace polyq::math {

template <class V>
POLYQ_HD int argmax(const V* values, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) best = values[i] > values[best] ? i : best;
  return best;
}

/// `draw` is uniform in [0, 1).
template <class V>
POLYQ_HD int epsilon_greedy(const V* values, int count, float epsilon, float draw,
                            int random_action) {
  return draw < epsilon ? random_action : argmax(values, count);
}

}  // namespace polyq::math
