// SPDX-License-Identifier: MIT
// RAdam follows PyTorch for 100 updates, rectifies when it should and by how much, and checks its
// settings.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/r_adam.hpp>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

namespace math = polyq::math;
using polyq::optim::RAdam, polyq::optim::Rectification;
using test::check_beside_torch, test::filled, test::check_recorded_as_eager, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// ρ_t as Liu et al. define it, section 4.1: how many equal weights have the moment's center of
/// mass. All terms have one sign, so that no digit is lost.
double count_by_sums(double beta2, int t) {
  double weights = 0, ages = 0, weight = 1;
  for (int age = 1; age <= t; ++age, weight *= beta2) {
    weights += weight;
    ages += weight * age;
  }
  return 2 * ages / weights - 1;
}

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("r_adam", RAdam{.rate = 2e-3f});
  check_beside_torch<B>("r_adam_betas",
                        RAdam{.rate = 1e-2f, .beta1 = .8f, .beta2 = .95f, .epsilon = 1e-4f});
  check_beside_torch<B>("r_adam_linear_rate",
                        RAdam{.rate = math::Schedule::linear(2e-3f, 2e-4f, 80)});
}

TEST_CASE("how many gradients the variance stands for, from the first update to the last") {
  for (const float beta2 : {.1f, .5f, .9f, .95f, .99f, .999f, .9999f, .99999f}) {
    CAPTURE(beta2);
    const Rectification rectification(beta2);
    for (const int t : {1, 2, 3, 4, 5, 6, 7, 20, 100, 999, 1000, 1001, 20'000, 1'000'000}) {
      CAPTURE(t);
      const double exact = count_by_sums(beta2, t);
      // Products and sums of both terms are rounded, and x / (eˣ - 1): 2e-7 as measured.
      CHECK(std::abs(rectification.count(float(t)) / exact - 1) <= 3e-7);
    }
  }
}

// From moments of 0 at update t a step is rate (1 - β1) / (1 - β1ᵗ), times r √(1 - β2ᵗ) / √(1 - β2)
// where ρ_t > 5. Of β2 = 0 and .6 it never is; of the others from update 6 on.
TEST_CASE_TEMPLATE("the corrections are the clock's, to the last of its updates", B,
                   POLYQ_BACKENDS) {
  for (const float beta2 : {0.f, .6f, .9f, .999f, .99999f})
    for (const std::uint64_t updates :
         {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{5}, std::uint64_t{6}, std::uint64_t{99},
          std::uint64_t{999}, std::uint64_t{100'000}, std::uint64_t{1} << 40}) {
      CAPTURE(beta2);
      CAPTURE(updates);
      const double t = double(updates) + 1, b1 = .9f, b2 = beta2, end = 2 / (1 - b2) - 1;
      double step = (1 - b1) / (1 - std::pow(b1, t));
      const double count = updates < 2'000'000 ? count_by_sums(b2, int(t)) : end;
      if (count > 5)
        step *= std::sqrt((count - 4) * (count - 2) * end / ((end - 4) * (end - 2) * count)) *
                std::sqrt((1 - std::pow(b2, t)) / (1 - b2));
      Stepping<B, RAdam> stepping(RAdam{.rate = 1, .beta2 = beta2, .epsilon = 1e-20f}, filled(0));
      stepping.step(filled(1), {0, updates});
      // Adam's reasons make 9e-7. Of ρ_6 - 4 = 2 the error is 3 times that of ρ_6, half of it in
      // the root, and .9's is .3 above 5.
      for (const float got : stepping.read(stepping.parameters.get()))
        CHECK(std::abs(got / -step - 1) <= 15e-7);
    }
}

TEST_CASE_TEMPLATE("without the variance a step has the bits of the rate times the mean", B,
                   POLYQ_BACKENDS) {
  std::vector<float> slopes = filled(0), expected = filled(0);
  for (std::size_t i = 0; i < P; ++i) {
    slopes[i] = std::ldexp(1.f, int(i) - 18);
    expected[i] = -.5f * slopes[i];  // β1 = 0: the mean is the gradient
  }
  Stepping<B, RAdam> stepping(RAdam{.rate = .5f, .beta1 = 0}, filled(0));
  stepping.step(slopes, {0, 0});
  CHECK(stepping.read(stepping.parameters.get()) == expected);
}

TEST_CASE_TEMPLATE("what has no gradient does not move, so that pads stay zero", B,
                   POLYQ_BACKENDS) {
  Stepping<B, RAdam> stepping(RAdam{}, filled(0));
  for (std::uint64_t k = 0; k < 8; ++k) stepping.step(filled(0), {k, k});
  CHECK(stepping.read(stepping.parameters.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get() + P) == filled(0));
}

TEST_CASE_TEMPLATE("two moments a parameter, and a gradient that is only read", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, RAdam>::On::state_size == 2 * P);
  Stepping<B, RAdam> stepping(RAdam{}, filled(1));
  stepping.step(filled(3), {0, 0});
  CHECK(stepping.read(stepping.gradient.get()) == filled(3));
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, RAdam> stepping(RAdam{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step rectifies from the sixth update on as an eager one does", B,
                   POLYQ_BACKENDS) {
  check_recorded_as_eager<B>(RAdam{.rate = math::Schedule::linear(.1f, .01f, 4)});
}

TEST_CASE("settings in range are accepted") {
  CHECK(refusal(RAdam{}) == "");
  CHECK(refusal(RAdam{.rate = 1, .beta1 = 0, .beta2 = 0, .epsilon = 1e-30f}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal(RAdam{.rate = 0}) == "polyq: RAdam.rate = 0; allowed: finite and > 0");
  CHECK(refusal(RAdam{.rate = infinity}) == "polyq: RAdam.rate = inf; allowed: finite and > 0");
  CHECK(refusal(RAdam{.beta1 = 1}) == "polyq: RAdam.beta1 = 1; allowed: [0, 1)");
  CHECK(refusal(RAdam{.beta1 = not_a_number}) == "polyq: RAdam.beta1 = nan; allowed: [0, 1)");
  CHECK(refusal(RAdam{.beta2 = 1}) == "polyq: RAdam.beta2 = 1; allowed: [0, 1)");
  CHECK(refusal(RAdam{.beta2 = -1}) == "polyq: RAdam.beta2 = -1; allowed: [0, 1)");
  CHECK(refusal(RAdam{.epsilon = 0}) == "polyq: RAdam.epsilon = 0; allowed: finite and > 0");
  CHECK(refusal(RAdam{.epsilon = not_a_number}) ==
        "polyq: RAdam.epsilon = nan; allowed: finite and > 0");
}
