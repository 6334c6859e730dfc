// SPDX-License-Identifier: MIT
// Items are read, cleared, even from NaN, and scaled one by one.
#include <doctest/doctest.h>

#include <limits>
#include <polyq/math/items.hpp>

namespace math = polyq::math;

TEST_CASE("read, cleared and scaled") {
  float values[3] = {1, std::numeric_limits<float>::quiet_NaN(), 3};
  CHECK(math::Element{values}(2) == 3);
  math::Clear{values}(1);
  math::Scale{values, -2}(2);
  CHECK(values[0] == 1);
  CHECK(values[1] == 0);
  CHECK(values[2] == -6);
}
