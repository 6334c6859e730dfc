// SPDX-License-Identifier: MIT
// Rules of values with every network and every replay, on every backend.
#include "backends.hpp"
#include "triples.hpp"

TEST_CASE_TEMPLATE("rules of values with networks and replays", B, POLYQ_BACKENDS) {
  SUBCASE("Q-learning, one step") {
    test::check_networks<B>(polyq::rule::QLearning{}, test::Values{}, test::OneStep{});
  }
  SUBCASE("Q-learning, three steps") {
    test::check_networks<B>(polyq::rule::QLearning{}, test::Values{}, test::ThreeSteps{});
  }
  SUBCASE("double Q-learning, one step") {
    test::check_networks<B>(polyq::rule::DoubleQLearning{}, test::Values{}, test::OneStep{});
  }
  SUBCASE("double Q-learning, three steps") {
    test::check_networks<B>(polyq::rule::DoubleQLearning{}, test::Values{}, test::ThreeSteps{});
  }
  SUBCASE("Munchausen") {
    test::check_networks<B>(polyq::rule::Munchausen<>{}, test::Values{}, test::OneStep{});
  }
}
