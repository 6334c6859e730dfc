// SPDX-License-Identifier: MIT
// normal: two standard normal deviates from two random words (Box and Muller 1958), in floats
// without a branch or a call, so that loops over it vectorise.
#pragma once
#include <cstdint>
#include <cstring>

#include "polyq/core/config.hpp"
#include "polyq/math/logarithm.hpp"
#include "polyq/math/trigonometry.hpp"

namespace polyq::math {

/// 1/√x within 3 units in the last place, by three of Newton's steps; x is positive and normal. At
/// 0 it is a finite number, so that 0 · inverse_root(0) = 0.
POLYQ_HD inline float inverse_root(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = 0x5f375a86 - (bits >> 1);
  float y;
  std::memcpy(&y, &bits, sizeof y);
  const float half = .5f * x;
  for (int step = 0; step < 3; ++step) y = y * (1.5f - half * y * y);
  return y;
}

struct Normals {
  float first, second;
};
/// Independent standard normal deviates, at most 5.77 in size: radius √(−2 ln u) with u a multiple
/// of 2^-24 in (0, 1] from the one word, the direction from the other.
POLYQ_HD inline Normals normal(std::uint32_t radius_word, std::uint32_t turn_word) {
  const float u = float(std::int32_t(radius_word >> 8) + 1) * 0x1p-24f;
  const float square = -2 * logarithm(u);
  const float radius = square * inverse_root(square);
  const SineCosine<float> direction = sine_cosine(turn_word);
  return {radius * direction.cosine, radius * direction.sine};
}

}  // namespace polyq::math
