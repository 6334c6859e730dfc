// SPDX-License-Identifier: MIT
// Temporal-difference errors are rlax's for Q-learning and double Q-learning, with our sign.
#include <doctest/doctest.h>

#include <polyq/math/td.hpp>

namespace math = polyq::math;

// The tables of rlax's value_learning_test.py; rlax returns target - Q, [0, 1] in both tests.
TEST_CASE_TEMPLATE("rlax's constants for Q-learning", V, float, double) {
  const V now[2][3] = {{1, 1, 0}, {1, 2, 0}}, next[2][3] = {{0, 1, 0}, {1, 2, 0}};
  CHECK(math::td_error(now[0], 0, V(1), V(0), next[0], next[0], 3) == 0);
  CHECK(math::td_error(now[1], 1, V(1), V(1), next[1], next[1], 3) == -1);
}

TEST_CASE_TEMPLATE("rlax's constants for double Q-learning", V, float, double) {
  const V now[2][3] = {{1, 1, 0}, {1, 2, 0}};
  const V next[2][3] = {{99, 1, 98}, {91, 2, 66}}, selector[2][3] = {{2, 10, 1}, {11, 20, 1}};
  CHECK(math::td_error(now[0], 0, V(1), V(0), next[0], selector[0], 3) == 0);
  CHECK(math::td_error(now[1], 1, V(1), V(1), next[1], selector[1], 3) == -1);
}

TEST_CASE("worked by hand") {
  const float now[] = {3, 5, 7}, next[] = {2, 8, 4}, selector[] = {0, 1, 9};
  // Q(s, 2) - (1 + .5 * 8) = 7 - 5
  CHECK(math::td_error(now, 2, 1.f, .5f, next, next, 3) == 2);
  // The online network chooses action 2: 7 - (1 + .5 * 4)
  CHECK(math::td_error(now, 2, 1.f, .5f, next, selector, 3) == 4);
  // Where selectors are equal the lowest action counts: 3 - (-1 + .5 * 2)
  const float equal[] = {6, 6, 6};
  CHECK(math::td_error(now, 0, -1.f, .5f, next, equal, 3) == 3);
  // Termination is a discount of 0, whatever comes next: 5 - (-1)
  const float huge[] = {1e30f, -1e30f, 0};
  CHECK(math::td_error(now, 1, -1.f, 0.f, huge, huge, 3) == 6);
}
