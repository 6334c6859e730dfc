// SPDX-License-Identifier: MIT
// Quantile regression has rlax's published losses, and its slope is the loss's derivative.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <polyq/math/loss.hpp>
#include <polyq/math/quantile_regression.hpp>

namespace math = polyq::math;

namespace {

template <class Loss>
math::QuantileSums sums(const Loss& loss, float quantile, float tau,
                        std::initializer_list<float> targets) {
  math::QuantileSums all;
  for (const float target : targets) all.add(loss, quantile, tau, target);
  return all;
}

/// The mean over targets, the sum over the quantiles -1 and 3.
template <class Loss>
float of_two(const Loss& loss, float tau, float other_tau) {
  const std::initializer_list<float> targets{-3, 4, 2};
  return (sums(loss, -1, tau, targets).loss + sums(loss, 3, other_tau, targets).loss) / 3;
}

}  // namespace

// rlax (Apache-2.0), value_learning_test.py, QuantileRegressionLossTest.
TEST_CASE("rlax's constants, without and with Huber's loss") {
  CHECK(of_two(math::Absolute{}, .2f, .7f) == doctest::Approx(2).epsilon(3e-7));
  CHECK(of_two(math::Absolute{}, 0, .4f) == doctest::Approx(2.2).epsilon(3e-7));
  const math::Huber huber{.delta = 2};
  CHECK(of_two(huber, .2f, .7f) == doctest::Approx(2.5).epsilon(3e-7));
  CHECK(of_two(huber, 0, .4f) == doctest::Approx(8.5 / 3).epsilon(3e-7));
}

TEST_CASE("the slope is the derivative by the quantile") {
  constexpr float h = 1.f / 64;
  for (float quantile = -3.1f; quantile < 3; quantile += .37f)
    for (const float tau : {.1f, .5f, .95f}) {
      const auto check = [&](const auto& loss) {
        const auto at = [&](float q) { return sums(loss, q, tau, {-2.0625f, .5625f, 1.9375f}); };
        const double difference =
            (double(at(quantile + h).loss) - at(quantile - h).loss) / (2 * double(h));
        // Quadratic but where Huber's parabola ends within h, which gives h / 4 a target.
        CHECK(std::abs(at(quantile).slope - difference) < 3 * h / 4 + 1e-4);
      };
      check(math::Huber{});
      check(math::Squared{});
    }
}

TEST_CASE("it is least at the quantile of the targets") {
  // Five targets: rank .3 is that of the second.
  const auto slope = [](float quantile) {
    return sums(math::Absolute{}, quantile, .3f, {5, 1, 4, 2, 3}).slope;
  };
  CHECK(slope(1.9f) < 0);
  CHECK(slope(2.1f) > 0);
}
