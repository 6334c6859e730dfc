// SPDX-License-Identifier: MIT
// NStep beside a brute-force fold, over a uniform replay; no row is drawn before its time.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>

#include "backends.hpp"
#include "folded.hpp"

namespace {

namespace replay = polyq::replay;
using replay::Uniform;

template <class B, int Steps>
std::string refusal(std::int64_t capacity, std::int64_t environments) {
  using Machine = typename B::Machine;
  using S = test::FoldedShapes<Machine, 4>;
  Machine machine{B{}};
  try {
    typename replay::NStep<Steps, replay::Uniform<4>>::template On<Machine, S> on(
        machine, {{.capacity = capacity}}, {.9f, 1, {}});
    on.attach(environments, false);
    CHECK(on.rows_needed() == (Steps - 1) * environments + 1);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE("a transition is the fold of its environment's rows", B, POLYQ_BACKENDS) {
  SUBCASE("three steps, one environment") { test::check_folds<B, Uniform, 3, 1>(false); }
  SUBCASE("three steps, four environments, masks") { test::check_folds<B, Uniform, 3, 4>(true); }
  SUBCASE("seven steps, two environments") { test::check_folds<B, Uniform, 7, 2>(false); }
  SUBCASE("one step, three environments, masks") { test::check_folds<B, Uniform, 1, 3>(true); }
}

TEST_CASE_TEMPLATE("a ring too small for a transition is refused", B, POLYQ_BACKENDS) {
  CHECK(refusal<B, 3>(12, 4) == "");
  CHECK(refusal<B, 4>(12, 4) ==
        "polyq: replay capacity = 12; allowed: >= 16, the steps of a transition, 4, times the "
        "number of environments");
  CHECK(refusal<B, 5>(4, 1) ==
        "polyq: replay capacity = 4; allowed: >= 5, the steps of a transition, 5, times the number "
        "of environments");
}

TEST_CASE("facts") {
  using Replay = replay::NStep<3, replay::Uniform<8>>;
  static_assert(Replay::steps == 3 && Replay::batch_size == 8 && !Replay::weighted);
  static_assert(replay::Uniform<8>::steps == 1);
}
