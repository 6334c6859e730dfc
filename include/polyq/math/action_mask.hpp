// SPDX-License-Identifier: MIT
// ActionMask: which of A actions are legal, a bit each, and what is asked of such bits where they
// stand in memory.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::math {

/// Words of a mask of `actions` bits; action a is bit a mod 32 of word a / 32.
POLYQ_HD constexpr int mask_words(int actions) { return (actions + 31) / 32; }

/// What an environment returns; starts with no action legal.
template <int A>
struct ActionMask {
  std::uint32_t word[mask_words(A)] = {};

  POLYQ_HD void allow(int action) { word[action / 32] |= std::uint32_t{1} << action % 32; }
  POLYQ_HD bool operator[](int action) const { return word[action / 32] >> action % 32 & 1; }
};

/// Whether an action is legal; null stands for a mask that allows every action.
POLYQ_HD inline bool allows(const std::uint32_t* mask, int action) {
  return mask == nullptr || (mask[action / 32] >> action % 32 & 1);
}

POLYQ_HD inline int count_legal(const std::uint32_t* mask, int actions) {
  int count = 0;
  for (int a = 0; a < actions; ++a) count += allows(mask, a);
  return count;
}

/// The legal action with n legal ones before it, 0 ≤ n < count_legal; 0 where none is legal.
POLYQ_HD inline int nth_legal(const std::uint32_t* mask, int actions, int n) {
  if (mask == nullptr) return n;
  for (int a = 0; a < actions; ++a)
    if (allows(mask, a) && n-- == 0) return a;
  return 0;
}

}  // namespace polyq::math
