// SPDX-License-Identifier: MIT
// Softmax, shared by teams, and the soft maximum, beside double; large logits, masks, and what
// remains where the temperature goes to 0.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <polyq/core/random.hpp>
#include <polyq/math/softmax.hpp>
#include <vector>

#include "teams.hpp"

namespace core = polyq::core;
namespace math = polyq::math;

namespace {

/// Uniform in ±size.
std::vector<float> drawn(int n, std::uint64_t salt, float size) {
  std::vector<float> values;
  for (int k = 0; k < n; ++k)
    values.push_back(
        size *
        (2 * core::uniform(core::philox(4, core::Stream::init, salt, std::uint32_t(k)).word[0]) -
         1));
  return values;
}

/// log Σ exp(values / temperature) over those allowed.
double log_sum(const std::vector<float>& values, double temperature = 1,
               const std::uint32_t* legal = nullptr) {
  double largest = -INFINITY, sum = 0;
  for (std::size_t k = 0; k < values.size(); ++k)
    if (math::allows(legal, int(k))) largest = std::max(largest, values[k] / temperature);
  for (std::size_t k = 0; k < values.size(); ++k)
    if (math::allows(legal, int(k))) sum += std::exp(values[k] / temperature - largest);
  return largest + std::log(sum);
}

}  // namespace

TEST_CASE("probabilities and the logarithm of the sum, by every team") {
  test::every_team([](const auto& team) {
    for (const int n : {1, 2, 7, 16, 51, 200})
      for (const float size : {.1f, 5.f, 60.f}) {
        CAPTURE(n);
        CAPTURE(size);
        const std::vector<float> logits = drawn(n, n, size);
        std::vector<float> p(n, NAN);
        const float got = math::softmax(team, logits.data(), n, p.data());
        const double exact = log_sum(logits);
        // The difference from the largest rounds once, 60 · 6e-8 in the exponent at most; then two
        // units of the exponential, the sum's and the division's.
        CHECK(std::abs(got - exact) <= 1e-7 * std::max(std::abs(exact), 5.));
        double sum = 0;
        for (int k = 0; k < n; ++k) {
          const double expected = std::exp(logits[k] - exact);
          CHECK(std::abs(p[k] - expected) <= (1e-6 + 1.2e-7 * size) * expected + 2e-38);
          sum += p[k];
        }
        CHECK(std::abs(sum - 1) < 1e-6);
      }
  });
}

TEST_CASE("logits as large as floats, and far apart") {
  test::every_team([](const auto& team) {
    const float logits[] = {3e38f, -3e38f, 3e38f, 0};
    float p[4];
    CHECK(math::softmax(team, logits, 4, p) == 3e38f);
    CHECK(p[0] == .5f);
    CHECK(p[2] == .5f);
    CHECK(p[1] < 1e-37f);
    CHECK(p[3] < 1e-37f);
    CHECK(math::exponentials(team, logits, 4, p) == 3e38f);
    CHECK(p[0] == 1);
  });
}

TEST_CASE("probabilities may replace the logits") {
  float logits[] = {0, std::log(3.f)};
  math::softmax(polyq::backend::SerialTeam{}, logits, 2, logits);
  CHECK(logits[0] == doctest::Approx(.25));
  CHECK(logits[1] == doctest::Approx(.75));
}

TEST_CASE("the soft maximum over all and over the legal") {
  for (const int n : {1, 2, 5, 40})
    for (const float temperature : {.03f, 1.f, 20.f}) {
      CAPTURE(n);
      CAPTURE(temperature);
      const std::vector<float> values = drawn(n, 7 * n, 3);
      const std::uint32_t some[2] = {0x2AAAAAAB, 0xAB};  // the first, and every second
      for (const std::uint32_t* legal :
           std::initializer_list<const std::uint32_t*>{nullptr, some}) {
        const double exact = temperature * log_sum(values, temperature, legal);
        const auto got = math::soft_maximum(values.data(), n, temperature, legal);
        CHECK(std::abs(got.value() - exact) <= 3e-7 * std::max(3.f, temperature));
        const auto in_double =
            math::soft_maximum(std::vector<double>(values.begin(), values.end()).data(), n,
                               double(temperature), legal);
        CHECK(std::abs(in_double.value() - exact) < 1e-13);
      }
    }
}

TEST_CASE("the soft maximum lies above the largest by temperature · log n at most") {
  const std::vector<float> equal(8, 2.5f), values = drawn(8, 3, 1);
  const auto same = math::soft_maximum(equal.data(), 8, .5f, nullptr);
  CHECK(same.largest == 2.5f);
  CHECK(same.above == doctest::Approx(.5 * std::log(8)));
  const float largest = *std::max_element(values.begin(), values.end());
  for (const float temperature : {1e-3f, 1e-20f, 1e-37f}) {
    const auto cold = math::soft_maximum(values.data(), 8, temperature, nullptr);
    CHECK(cold.largest == largest);
    CHECK(cold.above >= 0);
    CHECK(cold.above <= temperature * 3);
  }
  // As it warms, the mean and temperature · log n.
  double mean = 0;
  for (const float value : values) mean += value / 8.;
  const auto warm = math::soft_maximum(values.data(), 8, 1e3f, nullptr);
  CHECK(std::abs(warm.value() - 1e3 * std::log(8.) - mean) < 1e-3);  // of second order, and 2080
}

TEST_CASE("where no action is legal, at a final state, the soft maximum is finite") {
  const float values[] = {7, 1};
  const std::uint32_t none = 0;
  CHECK(math::soft_maximum(values, 2, 1.f, &none).value() == 7);
}

TEST_CASE("a value that is not legal is never looked at") {
  const float values[] = {NAN, 1, 1e30f, 2};
  const std::uint32_t legal = 0b1010;
  const auto got = math::soft_maximum(values, 4, 1.f, &legal);
  CHECK(got.largest == 2);
  CHECK(got.above == doctest::Approx(std::log(1 + std::exp(-1.))));
}
