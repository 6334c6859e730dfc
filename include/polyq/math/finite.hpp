// SPDX-License-Identifier: MIT
// is_finite: neither infinite nor NaN, by the number's bits: a comparison would be folded away
// where a user compiles with -ffast-math.
#pragma once
#include <cstdint>
#include <cstring>

#include "polyq/core/config.hpp"

namespace polyq::math {

POLYQ_HD inline bool is_finite(float value) {
  static_assert(sizeof(float) == sizeof(std::uint32_t));
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  constexpr std::uint32_t exponent = 0x7f800000;
  return (bits & exponent) != exponent;
}

}  // namespace polyq::math
