// SPDX-License-Identifier: MIT
// Sgd follows PyTorch for 100 updates, with and without momentum, and checks its settings.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/sgd.hpp>
#include <utility>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

namespace math = polyq::math;
using polyq::optim::Sgd;
using test::check_beside_torch, test::filled, test::check_recorded_as_eager, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("sgd", Sgd{.rate = 1e-2f});
  check_beside_torch<B>("sgd_momentum", Sgd{.rate = 1e-2f, .momentum = .9f},
                        2);  // the velocity is rounded too
}

// All exact in binary. Without momentum 1 - .25 * 2 = .5 and .5 - .25 * -4 = 1.5; with one of .5
// velocities are 2, -4 + 1 = -3 and 0 - 1.5, and 1 - .5 = .5, .5 + .75 = 1.25, 1.25 + .375.
TEST_CASE_TEMPLATE("worked by hand", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> plain(Sgd{.rate = .25f}, filled(1));
  plain.step(filled(2), {0, 0});
  CHECK(plain.read(plain.parameters.get()) == filled(.5f));
  plain.step(filled(-4), {1, 1});
  CHECK(plain.read(plain.parameters.get()) == filled(1.5f));

  Stepping<B, Sgd> moving(Sgd{.rate = .25f, .momentum = .5f}, filled(1));
  moving.step(filled(2), {0, 0});
  CHECK(moving.read(moving.parameters.get()) == filled(.5f));
  moving.step(filled(-4), {1, 1});
  CHECK(moving.read(moving.parameters.get()) == filled(1.25f));
  moving.step(filled(0), {2, 2});
  CHECK(moving.read(moving.parameters.get()) == filled(1.625f));
  CHECK(moving.read(moving.gradient.get()) == filled(0));  // only read
}

// From .5 to .125 over 3 env steps: rates .5, .375, .25, .125, .125 at env steps 0, 1, 2, 3, 9.
TEST_CASE_TEMPLATE("the rate follows the env steps, not the updates", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> stepping(Sgd{.rate = math::Schedule::linear(.5f, .125f, 3)}, filled(8));
  float expected = 8;
  const std::pair<std::uint64_t, float> rates[] = {
      {0, .5f}, {1, .375f}, {2, .25f}, {3, .125f}, {9, .125f}};
  for (const auto& [env_steps, rate] : rates) {
    stepping.step(filled(1), {env_steps, 1000});
    expected -= rate;
    // 1/3 and 2/3 are not exact: a rate errs by 2^-25, and so does each difference.
    for (const float got : stepping.read(stepping.parameters.get()))
      CHECK(std::abs(got - expected) <= 10 * 0x1p-22);
  }
}

TEST_CASE_TEMPLATE("one velocity a parameter", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, Sgd>::On::state_size == P);
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> stepping(Sgd{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  check_recorded_as_eager<B>(Sgd{.rate = math::Schedule::linear(.1f, .01f, 4), .momentum = .5f});
}

TEST_CASE("settings in range are accepted") {
  CHECK(refusal(Sgd{}) == "");
  CHECK(refusal(Sgd{.rate = 1, .momentum = .99f}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal(Sgd{.rate = 0}) == "polyq: Sgd.rate = 0; allowed: finite and > 0");
  CHECK(refusal(Sgd{.rate = -1}) == "polyq: Sgd.rate = -1; allowed: finite and > 0");
  CHECK(refusal(Sgd{.rate = infinity}) == "polyq: Sgd.rate = inf; allowed: finite and > 0");
  CHECK(refusal(Sgd{.rate = not_a_number}) == "polyq: Sgd.rate = nan; allowed: finite and > 0");
  CHECK(refusal(Sgd{.rate = math::Schedule::exponential(1, -1, 9)}) ==
        "polyq: Sgd.rate = -1; allowed: finite and > 0");
  CHECK(refusal(Sgd{.momentum = 1}) == "polyq: Sgd.momentum = 1; allowed: [0, 1)");
  CHECK(refusal(Sgd{.momentum = -.5f}) == "polyq: Sgd.momentum = -0.5; allowed: [0, 1)");
  CHECK(refusal(Sgd{.momentum = not_a_number}) == "polyq: Sgd.momentum = nan; allowed: [0, 1)");
}
