// SPDX-License-Identifier: MIT
// sine_cosine: both of an angle; in floats without a branch, a call or a table, so that loops over
// it vectorise and a device keeps it in registers.
#pragma once
#include <cmath>
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::math {

template <class Real>
struct SineCosine {
  Real sine, cosine;
};
/// Of the angle that is turn / 2^32 of a full turn, each within 1.2e-7.
POLYQ_HD inline SineCosine<float> sine_cosine(std::uint32_t turn) {
  // The nearest quarter turn, and at most an eighth to either side of it.
  const std::uint32_t quarter = (turn + 0x20000000u) >> 30;
  const float x = float(std::int32_t(turn - (quarter << 30))) * 1.46291807926716e-9f;  // 2π / 2^32
  const float square = x * x;
  // Minimax polynomials on ±π/4 (Cephes' sinf and cosf).
  const float s =
      ((-1.9515295891e-4f * square + 8.3321608736e-3f) * square - 1.6666654611e-1f) * square * x +
      x;
  const float c =
      ((2.443315711809948e-5f * square - 1.388731625493765e-3f) * square + 4.166664568298827e-2f) *
          square * square -
      .5f * square + 1;
  const bool odd = quarter & 1;
  const float sine = odd ? c : s, cosine = odd ? s : c;
  return {quarter & 2 ? -sine : sine, (quarter + 1) & 2 ? -cosine : cosine};
}

/// Of radians, each within 1.2e-7 · (1 + |radians|), as the angle is rounded twice; |radians| below
/// 10⁶.
POLYQ_HD inline SineCosine<float> sine_cosine(float radians) {
  return sine_cosine(std::uint32_t(std::int64_t(radians * 683565275.576431632f)));  // 2^32 / 2π
}
POLYQ_HD inline SineCosine<double> sine_cosine(double radians) {
  return {std::sin(radians), std::cos(radians)};
}

}  // namespace polyq::math
