// SPDX-License-Identifier: MIT
// The logarithm beside the library's in double, for every mantissa and every exponent.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/math/logarithm.hpp>

namespace math = polyq::math;

namespace {

/// The distance from ln x in units of the last place of a float of that size.
double gap(float x) {
  const double exact = std::log(double(x));
  if (exact == 0) return math::logarithm(x) == 0 ? 0 : 1e9;
  const double unit = std::ldexp(1., std::max(std::ilogb(exact), -126) - 23);
  return std::abs(math::logarithm(x) - exact) / unit;
}

}  // namespace

TEST_CASE("within 2 units in the last place, all floats from 1/2 to 4") {
  double worst = 0;
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(.5f);
       bits < std::bit_cast<std::uint32_t>(4.f); ++bits)
    worst = std::max(worst, gap(std::bit_cast<float>(bits)));
  MESSAGE("largest error, in units in the last place: ", worst);
  CHECK(worst <= 2);
}

TEST_CASE("within 2 units in the last place at every exponent") {
  double worst = 0;
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::min());
       bits < std::bit_cast<std::uint32_t>(std::numeric_limits<float>::max()); bits += 2003)
    worst = std::max(worst, gap(std::bit_cast<float>(bits)));
  worst = std::max(worst, gap(std::numeric_limits<float>::max()));
  CHECK(worst <= 2);
}

TEST_CASE("ln 1 is 0, and powers of 2 are theirs of ln 2") {
  CHECK(math::logarithm(1) == 0);
  CHECK(math::logarithm(2) == float(std::log(2.)));
  CHECK(math::logarithm(.5f) == -float(std::log(2.)));
}
