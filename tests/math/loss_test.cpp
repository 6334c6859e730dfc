// SPDX-License-Identifier: MIT
// Losses have the values of PyTorch's, and each slope is the derivative of its value.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <polyq/math/loss.hpp>

namespace math = polyq::math;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Largest gap between slope and central difference, away from the kinks of the second derivative.
template <class Loss>
double slope_gap(const Loss& loss) {
  constexpr double h = 1e-6;
  double worst = 0;
  for (double error = -3.03; error < 3.1; error += .02) {
    const double difference = (loss.value(error + h) - loss.value(error - h)) / (2 * h);
    worst = std::max(worst, std::abs(loss.slope(error) - difference));
  }
  return worst;
}

}  // namespace

TEST_CASE("the squared error and twice the error") {
  const math::Squared loss;
  CHECK(loss.value(-3.f) == 9);
  CHECK(loss.slope(-3.f) == -6);
  CHECK(loss.value(0.) == 0);
  CHECK(loss.slope(.5) == 1);
}

// torch.nn.functional.huber_loss: e^2 / 2 where |e| < delta, else delta (|e| - delta / 2).
TEST_CASE("Huber's loss is a parabola that goes on as a line") {
  const math::Huber one;
  CHECK(one.value(.5f) == .125f);
  CHECK(one.value(-.5f) == .125f);
  CHECK(one.value(1.f) == .5f);    // where both forms meet
  CHECK(one.value(-3.f) == 2.5f);  // 1 * (3 - .5)
  CHECK(one.slope(.5f) == .5f);
  CHECK(one.slope(-1.f) == -1);
  CHECK(one.slope(3.f) == 1);
  CHECK(one.slope(-3.f) == -1);

  const math::Huber two{.delta = 2};
  CHECK(two.value(1.f) == .5f);
  CHECK(two.value(5.f) == 8);  // 2 * (5 - 1)
  CHECK(two.slope(5.f) == 2);
}

TEST_CASE("the absolute error, whose slope is its sign") {
  const math::Absolute loss;
  CHECK(loss.value(-3.f) == 3);
  CHECK(loss.slope(-3.f) == -1);
  CHECK(loss.value(.5) == .5);
  CHECK(loss.slope(.5) == 1);
  CHECK(loss.value(0.f) == 0);
  CHECK(loss.slope(0.f) == 0);
  CHECK(loss.slope(-0.f) == 0);
}

TEST_CASE("what is a loss") {
  static_assert(math::Loss<math::Squared> && math::Loss<math::Absolute>);
  static_assert(math::Loss<math::Huber> && !math::Loss<float>);
  struct Uncheckable : math::Huber {
    void check() = delete;
  };
  static_assert(!math::Loss<Uncheckable>);
}

TEST_CASE("Huber's loss with an endless delta is half the squared error") {
  const math::Huber loss{.delta = infinity};
  for (const float error : {-1e3f, -1.f, 0.f, .3f, 40.f}) {
    CHECK(loss.value(error) == math::Squared{}.value(error) / 2);
    CHECK(loss.slope(error) == error);
  }
}

TEST_CASE("each slope is the derivative") {
  // No grid point is within h of a kink, so values are polynomials of degree 2, for which central
  // differences err only by rounding: values up to 10 * 2^-53 / 1e-6 = 1.1e-9.
  CHECK(slope_gap(math::Squared{}) < 2e-9);
  CHECK(slope_gap(math::Huber{}) < 2e-9);
  CHECK(slope_gap(math::Huber{.delta = 2.5f}) < 2e-9);
  CHECK(slope_gap(math::Absolute{}) < 2e-9);
}

TEST_CASE("a delta must be above 0") {
  CHECK_NOTHROW(math::Squared{}.check());
  CHECK_NOTHROW(math::Absolute{}.check());
  CHECK_NOTHROW(math::Huber{}.check());
  CHECK_NOTHROW(math::Huber{.delta = infinity}.check());
  CHECK_THROWS_WITH_AS(math::Huber{.delta = 0}.check(), "polyq: Huber.delta = 0; allowed: > 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(math::Huber{.delta = -1}.check(), "polyq: Huber.delta = -1; allowed: > 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(math::Huber{.delta = not_a_number}.check(),
                       "polyq: Huber.delta = nan; allowed: > 0", polyq::SettingsError);
}
