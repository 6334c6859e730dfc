// SPDX-License-Identifier: MIT
// is_finite: every kind of float.
#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <polyq/math/finite.hpp>

using polyq::math::is_finite;
using Limits = std::numeric_limits<float>;

TEST_CASE("finite numbers, denormals and both zeros among them") {
  for (const float value : {0.f, -0.f, 1.f, -3.5f, Limits::min(), Limits::denorm_min(),
                            -Limits::denorm_min(), Limits::max(), Limits::lowest()})
    CHECK(is_finite(value));
}

TEST_CASE("infinities and NaNs are not finite") {
  for (const float value : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                            -Limits::quiet_NaN(), Limits::signaling_NaN()})
    CHECK(!is_finite(value));
}
