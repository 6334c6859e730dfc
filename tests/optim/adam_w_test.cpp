// SPDX-License-Identifier: MIT
// AdamW follows PyTorch for 100 updates, decays what Adam does not move, and checks its settings.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/adam_w.hpp>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

namespace math = polyq::math;
using polyq::optim::Adam, polyq::optim::AdamW;
using test::check_beside_torch, test::filled, test::check_recorded_as_eager, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("adam_w", AdamW{.rate = 2e-3f});
  check_beside_torch<B>("adam_w_linear_rate",
                        AdamW{.rate = math::Schedule::linear(2e-3f, 2e-4f, 80), .decay = 1});
}

// .5 * .25 of what is left at each update: 1, .875, .765625; and no moment hears of it.
TEST_CASE_TEMPLATE("what has no gradient decays by the rate times the decay", B, POLYQ_BACKENDS) {
  Stepping<B, AdamW> stepping(AdamW{.rate = .5f, .decay = .25f}, filled(1));
  stepping.step(filled(0), {0, 0});
  CHECK(stepping.read(stepping.parameters.get()) == filled(.875f));
  stepping.step(filled(0), {1, 1});
  CHECK(stepping.read(stepping.parameters.get()) == filled(.765625f));
  CHECK(stepping.read(stepping.state.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get() + P) == filled(0));
}

// In floats 1 - 1e-5 is 1.4e-8 off, so that all parameters would decay by 1.3e-3 too much. What
// is left is each parameter's own rounding, up to 6e-4 of its decay, either way.
TEST_CASE_TEMPLATE("a small decay is on the whole not lost to rounding", B, POLYQ_BACKENDS) {
  std::vector<float> initial(P);
  for (std::size_t i = 0; i < P; ++i) initial[i] = 1 + float(i) / P;
  Stepping<B, AdamW> stepping(AdamW{.rate = 1e-3f, .decay = 1e-2f}, initial);
  for (std::uint64_t k = 0; k < 1000; ++k) stepping.step(filled(0), {k, k});
  const double kept = std::pow(1 - double(1e-3f) * double(1e-2f), 1000);
  const std::vector<float> got = stepping.read(stepping.parameters.get());
  double off = 0;
  for (std::size_t i = 0; i < P; ++i) off += (got[i] / double(initial[i]) - kept) / (1 - kept);
  CHECK(std::abs(off / P) <= 1e-4);  // 3e-6 as measured
}

TEST_CASE_TEMPLATE("without decay it is Adam", B, POLYQ_BACKENDS) {
  Stepping<B, AdamW> decoupled(AdamW{.rate = .1f, .decay = 0}, filled(1));
  Stepping<B, Adam> adam(Adam{.rate = .1f}, filled(1));
  for (std::uint64_t k = 0; k < 5; ++k) {
    decoupled.step(filled(.5f), {k, k});
    adam.step(filled(.5f), {k, k});
    CHECK(decoupled.read(decoupled.parameters.get()) == adam.read(adam.parameters.get()));
  }
}

TEST_CASE_TEMPLATE("pads stay zero", B, POLYQ_BACKENDS) {
  Stepping<B, AdamW> stepping(AdamW{}, filled(0));
  for (std::uint64_t k = 0; k < 3; ++k) stepping.step(filled(0), {k, k});
  CHECK(stepping.read(stepping.parameters.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get() + P) == filled(0));
}

TEST_CASE_TEMPLATE("two moments a parameter, and a gradient that is only read", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, AdamW>::On::state_size == 2 * P);
  Stepping<B, AdamW> stepping(AdamW{}, filled(1));
  stepping.step(filled(3), {0, 0});
  CHECK(stepping.read(stepping.gradient.get()) == filled(3));
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, AdamW> stepping(AdamW{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  check_recorded_as_eager<B>(AdamW{.rate = math::Schedule::linear(.1f, .01f, 4), .decay = .5f});
}

TEST_CASE("settings in range are accepted") {
  CHECK(refusal(AdamW{}) == "");
  CHECK(refusal(AdamW{.rate = 1, .beta1 = 0, .beta2 = 0, .epsilon = 1e-30f, .decay = 0}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal(AdamW{.rate = 0}) == "polyq: AdamW.rate = 0; allowed: finite and > 0");
  CHECK(refusal(AdamW{.rate = not_a_number}) == "polyq: AdamW.rate = nan; allowed: finite and > 0");
  CHECK(refusal(AdamW{.beta1 = 1}) == "polyq: AdamW.beta1 = 1; allowed: [0, 1)");
  CHECK(refusal(AdamW{.beta2 = -1}) == "polyq: AdamW.beta2 = -1; allowed: [0, 1)");
  CHECK(refusal(AdamW{.epsilon = 0}) == "polyq: AdamW.epsilon = 0; allowed: finite and > 0");
  CHECK(refusal(AdamW{.decay = -1}) == "polyq: AdamW.decay = -1; allowed: finite and >= 0");
  CHECK(refusal(AdamW{.decay = infinity}) == "polyq: AdamW.decay = inf; allowed: finite and >= 0");
  CHECK(refusal(AdamW{.decay = not_a_number}) ==
        "polyq: AdamW.decay = nan; allowed: finite and >= 0");
}
