// SPDX-License-Identifier: MIT
// Quantile rules with every network and every replay, on every backend.
#include "backends.hpp"
#include "triples.hpp"

TEST_CASE_TEMPLATE("quantile rules with networks and replays", B, POLYQ_BACKENDS) {
  SUBCASE("the target selects, one step") {
    test::check_networks<B>(polyq::rule::Quantile<test::triple_atoms>{}, test::Distributions{},
                            test::OneStep{});
  }
  SUBCASE("the target selects, three steps") {
    test::check_networks<B>(polyq::rule::Quantile<test::triple_atoms>{}, test::Distributions{},
                            test::ThreeSteps{});
  }
  SUBCASE("the online network selects, one step") {
    test::check_networks<B>(polyq::rule::DoubleQuantile<test::triple_atoms>{},
                            test::Distributions{}, test::OneStep{});
  }
  SUBCASE("the online network selects, three steps") {
    test::check_networks<B>(polyq::rule::DoubleQuantile<test::triple_atoms>{},
                            test::Distributions{}, test::ThreeSteps{});
  }
}
