// SPDX-License-Identifier: MIT
// Adam follows PyTorch for 100 updates, adds epsilon where PyTorch does, and checks its settings.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/adam.hpp>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

namespace math = polyq::math;
using polyq::optim::Adam;
using test::check_beside_torch, test::filled, test::check_recorded_as_eager, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  using math::Schedule;
  check_beside_torch<B>("adam", Adam{.rate = 2e-3f});
  check_beside_torch<B>("adam_betas",
                        Adam{.rate = 1e-2f, .beta1 = .8f, .beta2 = .95f, .epsilon = 1e-4f});
  check_beside_torch<B>("adam_linear_rate", Adam{.rate = Schedule::linear(2e-3f, 2e-4f, 80)});
  check_beside_torch<B>("adam_exponential_rate",
                        Adam{.rate = Schedule::exponential(2e-3f, 2e-4f, 80)});
}

// m = (1 - β1) g and v = (1 - β2) g², both corrected to g and g²: a step of rate g / (|g| + ε).
TEST_CASE_TEMPLATE("the first step has the size of the rate, epsilon beside the corrected root", B,
                   POLYQ_BACKENDS) {
  for (const Adam& adam : {Adam{.rate = .5f, .epsilon = .125f},
                           Adam{.rate = .5f, .beta1 = 0, .beta2 = 0, .epsilon = .125f}}) {
    std::vector<float> slopes = filled(0), expected = filled(0);
    slopes[0] = .125f, expected[0] = -.25f;         // -.5 * .125 / .25
    slopes[1] = -.375f, expected[1] = .375f;        // .5 * .375 / .5
    slopes[36] = 3.875f, expected[36] = -.484375f;  // -.5 * 3.875 / 4
    Stepping<B, Adam> stepping(adam, filled(0));
    stepping.step(slopes, {0, 0});
    const std::vector<float> got = stepping.read(stepping.parameters.get());
    // Corrections err by 1.3e-7, an approximate root by 3.8e-7, five operations by 6e-8 each.
    for (std::size_t i = 0; i < P; ++i)
      CHECK(std::abs(got[i] - expected[i]) <= 9e-7 * std::abs(expected[i]));
  }
}

// From moments of 0 at update t a step is rate (1 - β1) / (1 - β1ᵗ) / √((1 - β2) / (1 - β2ᵗ)).
TEST_CASE_TEMPLATE("the corrections are the clock's, to the last of its updates", B,
                   POLYQ_BACKENDS) {
  for (const std::uint64_t updates : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{999},
                                      std::uint64_t{100'000}, std::uint64_t{1} << 40}) {
    CAPTURE(updates);
    const double t = double(updates) + 1, b1 = .9f, b2 = .999f;
    const double step =
        (1 - b1) / (1 - std::pow(b1, t)) / std::sqrt((1 - b2) / (1 - std::pow(b2, t)));
    Stepping<B, Adam> stepping(Adam{.rate = 1, .epsilon = 1e-20f}, filled(0));
    stepping.step(filled(1), {0, updates});
    for (const float got : stepping.read(stepping.parameters.get()))
      CHECK(std::abs(got / -step - 1) <= 9e-7);  // for the reasons above
  }
}

TEST_CASE_TEMPLATE("what has no gradient does not move, so that pads stay zero", B,
                   POLYQ_BACKENDS) {
  Stepping<B, Adam> stepping(Adam{}, filled(0));
  for (std::uint64_t k = 0; k < 3; ++k) stepping.step(filled(0), {k, k});
  CHECK(stepping.read(stepping.parameters.get()) == filled(0));
}

TEST_CASE_TEMPLATE("two moments a parameter, and a gradient that is only read", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, Adam>::On::state_size == 2 * P);
  Stepping<B, Adam> stepping(Adam{}, filled(1));
  stepping.step(filled(3), {0, 0});
  CHECK(stepping.read(stepping.gradient.get()) == filled(3));
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, Adam> stepping(Adam{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  check_recorded_as_eager<B>(Adam{.rate = math::Schedule::linear(.1f, .01f, 4)});
}

TEST_CASE("settings in range are accepted") {
  CHECK(refusal(Adam{}) == "");
  CHECK(refusal(Adam{.rate = 1, .beta1 = 0, .beta2 = 0, .epsilon = 1e-30f}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal(Adam{.rate = 0}) == "polyq: Adam.rate = 0; allowed: finite and > 0");
  CHECK(refusal(Adam{.rate = -1}) == "polyq: Adam.rate = -1; allowed: finite and > 0");
  CHECK(refusal(Adam{.rate = infinity}) == "polyq: Adam.rate = inf; allowed: finite and > 0");
  CHECK(refusal(Adam{.rate = not_a_number}) == "polyq: Adam.rate = nan; allowed: finite and > 0");
  CHECK(refusal(Adam{.rate = math::Schedule::linear(1, 0, 9)}) ==
        "polyq: Adam.rate = 0; allowed: finite and > 0");
  CHECK(refusal(Adam{.beta1 = 1}) == "polyq: Adam.beta1 = 1; allowed: [0, 1)");
  CHECK(refusal(Adam{.beta1 = -.5f}) == "polyq: Adam.beta1 = -0.5; allowed: [0, 1)");
  CHECK(refusal(Adam{.beta1 = not_a_number}) == "polyq: Adam.beta1 = nan; allowed: [0, 1)");
  CHECK(refusal(Adam{.beta2 = 1}) == "polyq: Adam.beta2 = 1; allowed: [0, 1)");
  CHECK(refusal(Adam{.beta2 = -1}) == "polyq: Adam.beta2 = -1; allowed: [0, 1)");
  CHECK(refusal(Adam{.beta2 = not_a_number}) == "polyq: Adam.beta2 = nan; allowed: [0, 1)");
  CHECK(refusal(Adam{.epsilon = 0}) == "polyq: Adam.epsilon = 0; allowed: finite and > 0");
  CHECK(refusal(Adam{.epsilon = -1}) == "polyq: Adam.epsilon = -1; allowed: finite and > 0");
  CHECK(refusal(Adam{.epsilon = infinity}) == "polyq: Adam.epsilon = inf; allowed: finite and > 0");
  CHECK(refusal(Adam{.epsilon = not_a_number}) ==
        "polyq: Adam.epsilon = nan; allowed: finite and > 0");
}
