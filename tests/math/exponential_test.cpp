// SPDX-License-Identifier: MIT
// The exponential beside the library's in double, for every float of its range; the ends and what
// is no number.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/math/exponential.hpp>

namespace math = polyq::math;

namespace {

/// The distance from eˣ in units of the last place of a float of that size.
double gap(float x) {
  const double exact = std::exp(double(x));
  return std::abs(math::exponential(x) - exact) / std::ldexp(1., std::ilogb(exact) - 23);
}

#ifdef __OPTIMIZE__
constexpr std::uint32_t every = 1;
#else
constexpr std::uint32_t every = 17;  // as sanitizers are built, all would take half a minute
#endif

/// The worst over the floats of this sign from `least` to `most` in size, every n-th of them.
double worst_gap(float sign, float least, float most, std::uint32_t n = every) {
  double worst = 0;
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(least);
       bits <= std::bit_cast<std::uint32_t>(most); bits += n)
    worst = std::max(worst, gap(sign * std::bit_cast<float>(bits)));
  return worst;
}

}  // namespace

TEST_CASE("within 2 units in the last place, all floats of 1/16 to the ends") {
  const double above = worst_gap(1, 0x1p-4f, 88), below = worst_gap(-1, 0x1p-4f, 87);
  MESSAGE("largest errors, in units in the last place: ", below, " below 0, ", above, " above");
  CHECK(above <= 2);
  CHECK(below <= 2);
}

TEST_CASE("within 2 units in the last place towards 0, where the terms vanish one by one") {
  CHECK(worst_gap(1, 0, 0x1p-4f, 101) <= 2);
  CHECK(worst_gap(-1, 0, 0x1p-4f, 101) <= 2);
  CHECK(math::exponential(0.f) == 1);
  CHECK(math::exponential(-0.f) == 1);
}

TEST_CASE("beyond the ends it stays what it is there, and NaN stays NaN") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {-87.5f, -1e4f, -infinity})
    CHECK(math::exponential(x) == math::exponential(-87.f));
  for (const float x : {88.5f, 1e4f, infinity})
    CHECK(math::exponential(x) == math::exponential(88.f));
  CHECK(math::exponential(-87.f) > 0);
  CHECK(std::isnormal(math::exponential(-87.f)));
  CHECK(std::isfinite(math::exponential(88.f)));
  CHECK(std::isnan(math::exponential(std::numeric_limits<float>::quiet_NaN())));
}
