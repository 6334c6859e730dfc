// SPDX-License-Identifier: MIT
// argmax takes the lowest of equals; epsilon 0 never explores and epsilon 1 always does.
#include <doctest/doctest.h>

#include <limits>
#include <polyq/math/explore.hpp>

namespace math = polyq::math;

TEST_CASE("argmax, in float and in double") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float rising[] = {-3, -2, -1}, falling[] = {5, 4, 3}, middle[] = {0, 2, 1};
  CHECK(math::argmax(rising, 3) == 2);
  CHECK(math::argmax(falling, 3) == 0);
  CHECK(math::argmax(middle, 3) == 1);
  CHECK(math::argmax(rising, 1) == 0);
  const float unbounded[] = {-infinity, -1e30f, -infinity};
  CHECK(math::argmax(unbounded, 3) == 1);
  const double close[] = {1., 1. + 1e-15, 1.};  // equal as floats
  CHECK(math::argmax(close, 3) == 1);
}

TEST_CASE("of equal values the lowest index wins") {
  const float two[] = {1, 3, 2, 3}, all[] = {0, 0, 0}, zeros[] = {-0.f, 0.f};
  CHECK(math::argmax(two, 4) == 1);
  CHECK(math::argmax(all, 3) == 0);
  CHECK(math::argmax(zeros, 2) == 0);
}

TEST_CASE("the greedy action is a legal one") {
  const float values[] = {1, 5, 3, 3};
  math::ActionMask<4> legal;
  CHECK(math::argmax(values, 4, legal.word) == 0);  // none is legal: some action
  legal.allow(0);
  legal.allow(2);
  legal.allow(3);
  CHECK(math::argmax(values, 4, legal.word) == 2);
  CHECK(math::argmax(values, 4, nullptr) == 1);
  CHECK(math::epsilon_greedy(values, 4, legal.word, .25f, .5f, 3) == 2);
}

TEST_CASE("a draw below epsilon takes the random action, any other the greedy one") {
  const float values[] = {0, 1, 0, 0};
  CHECK(math::epsilon_greedy(values, 4, nullptr, .25f, .2499f, 3) == 3);
  CHECK(math::epsilon_greedy(values, 4, nullptr, .25f, .25f, 3) == 1);
  // Draws are in [0, 1): 0 is below no epsilon of 0, the largest draw is below an epsilon of 1.
  CHECK(math::epsilon_greedy(values, 4, nullptr, 0, 0, 3) == 1);
  CHECK(math::epsilon_greedy(values, 4, nullptr, 1, 1 - 0x1p-24f, 3) == 3);
}
