// SPDX-License-Identifier: MIT
// Temporal-difference errors of one transition, in rlax's form: termination is a discount of 0.
#pragma once
#include "polyq/core/config.hpp"
#include "polyq/math/explore.hpp"

namespace polyq::math {

/// δ = Q(s, a) − (R + discount · next[argmax selector]); `now`, `next` and `selector` are [A]; the
/// maximum is over the actions that are legal at s′.
/// selector = next: Q-learning (Watkins and Dayan 1992). selector = the online network at s′:
/// double Q-learning (van Hasselt et al. 2016).
template <class V>
POLYQ_HD V td_error(const V* now, int action, V reward, V discount, const V* next,
                    const V* selector, int actions, const std::uint32_t* legal = nullptr) {
  return now[action] - (reward + discount * next[argmax(selector, actions, legal)]);
}

}  // namespace polyq::math
