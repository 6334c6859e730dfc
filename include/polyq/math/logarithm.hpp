// SPDX-License-Identifier: MIT
// logarithm: the natural logarithm of a float without a branch or a call, so that loops over it
// vectorise; the polynomial is Cephes' logf (Moshier 1992).
#pragma once
#include <cstdint>
#include <cstring>

#include "polyq/core/config.hpp"

namespace polyq::math {

/// ln x within 2 units in the last place; x is positive, normal and finite, ln 1 is 0.
POLYQ_HD inline float logarithm(float x) {
  // x = 2^exponent · (1 + f), √½ ≤ 1 + f < √2.
  constexpr std::uint32_t root_of_half = 0x3f3504f3;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::int32_t exponent = std::int32_t(bits - root_of_half) >> 23;
  bits -= std::uint32_t(exponent) << 23;
  float f;
  std::memcpy(&f, &bits, sizeof f);
  f -= 1;
  // ln(1 + f) = f − f²/2 + f³ · a polynomial; ln 2 in two parts, of which the first has few bits.
  const float e = float(exponent), square = f * f;
  float y = 7.0376836292e-2f;
  y = y * f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  y = y * f * square;
  y = y - 2.12194440e-4f * e - .5f * square;
  return f + y + .693359375f * e;
}

}  // namespace polyq::math
