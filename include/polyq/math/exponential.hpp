// SPDX-License-Identifier: MIT
// exponential: eˣ without a branch or a call, so that loops over it become vectors, and by the same
// steps on every backend.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::math {

/// Within 2 units in the last place of eˣ for -87 ≤ x ≤ 88; the value at the nearer end beyond. NaN
/// stays NaN.
POLYQ_HD inline float exponential(float x) {
  x = x < -87.f ? -87.f : x;
  x = x > 88.f ? 88.f : x;
  // eˣ = 2ⁿ eʳ with the whole number n nearest to x / ln 2. By conversion, since -ffast-math would
  // take the addition of a large number and its subtraction for nothing.
  const std::int32_t biased = std::int32_t(x * 1.44269504f + 127.5f);  // n + 127, above 0
  const float n = float(biased) - 127;
  const float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // n · ln 2 in two parts
  // Taylor's series: the first term left out is below 6e-9 for |r| ≤ ln 2 / 2.
  float y = 1.f / 5040;
  y = y * r + 1.f / 720;
  y = y * r + 1.f / 120;
  y = y * r + 1.f / 24;
  y = y * r + 1.f / 6;
  y = y * r + .5f;
  y = y * (r * r) + r + 1.f;
  return y * __builtin_bit_cast(float, std::uint32_t(biased) << 23);
}

}  // namespace polyq::math
