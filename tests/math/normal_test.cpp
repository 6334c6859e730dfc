// SPDX-License-Identifier: MIT
// Normal deviates: each part beside the library's in double; moments, distribution, tails and the
// independence of a pair, from a million draws.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <polyq/core/random.hpp>
#include <polyq/math/normal.hpp>
#include <vector>

namespace core = polyq::core;
namespace math = polyq::math;

namespace {

constexpr int pairs = 500'000, count = 2 * pairs;

/// A million deviates, the two of a pair beside each other.
const std::vector<double>& deviates() {
  static const std::vector<double> drawn = [] {
    std::vector<double> values;
    values.reserve(count);
    for (std::uint32_t i = 0; i < pairs; ++i) {
      const core::Words words = core::philox(11, core::Stream::noise, 0, i);
      const math::Normals normals = math::normal(words.word[0], words.word[1]);
      values.push_back(normals.first);
      values.push_back(normals.second);
    }
    return values;
  }();
  return drawn;
}

double distribution(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

/// The mean of f(deviate).
template <class F>
double mean(F f) {
  double sum = 0;
  for (const double x : deviates()) sum += f(x);
  return sum / count;
}

}  // namespace

TEST_CASE("1/sqrt within 3 units in the last place, over two octaves and all exponents") {
  double worst = 0;
  const auto look = [&](float x) {
    const double exact = 1 / std::sqrt(double(x));
    const double unit = std::ldexp(1., std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(math::inverse_root(x) - exact) / unit);
  };
  for (float x = 1; x < 4; x = std::nextafter(x, 5.f)) look(x);
  for (int e = -126; e <= 127; ++e)
    for (float m = 1; m < 2; m += .001f) look(std::ldexp(m, e));
  MESSAGE("largest error, in units in the last place: ", worst);
  CHECK(worst <= 3);  // three roundings of the last step, each up to one unit
  CHECK(0 * math::inverse_root(0) == 0);
}

TEST_CASE("Box and Muller's formula, for every size of the radius") {
  double worst = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const core::Words words = core::philox(3, core::Stream::noise, 1, i);
    const std::uint32_t first = words.word[0] >> (i % 24);  // small ones give the tails
    const double u = double((first >> 8) + 1) * 0x1p-24;
    const double radius = std::sqrt(-2 * std::log(u));
    const double angle = 2 * std::numbers::pi * double(words.word[1]) * 0x1p-32;
    const math::Normals got = math::normal(first, words.word[1]);
    worst = std::max(worst, std::abs(got.first - radius * std::cos(angle)) / (1e-30 + radius));
    worst = std::max(worst, std::abs(got.second - radius * std::sin(angle)) / (1e-30 + radius));
  }
  MESSAGE("largest error, relative to the radius: ", worst);
  CHECK(worst <= 5e-7);  // the square's 1, the root's 2 and the direction's 2 roundings, and theirs
}

TEST_CASE("the largest deviate is 5.77, the smallest 0, and all are finite") {
  CHECK(math::normal(0, 0).first == doctest::Approx(std::sqrt(48 * std::log(2.))).epsilon(1e-6));
  CHECK(math::normal(0, 0).second == 0);
  const math::Normals none = math::normal(~std::uint32_t{0}, 12345);
  CHECK(none.first == 0);
  CHECK(none.second == 0);
}

TEST_CASE("moments: 0, 1, 0, 3, each within four of its deviations") {
  CHECK(std::abs(mean([](double x) { return x; })) < 4 * std::sqrt(1. / count));
  CHECK(std::abs(mean([](double x) { return x * x; }) - 1) < 4 * std::sqrt(2. / count));
  CHECK(std::abs(mean([](double x) { return x * x * x; })) < 4 * std::sqrt(15. / count));
  CHECK(std::abs(mean([](double x) { return x * x * x * x; }) - 3) < 4 * std::sqrt(96. / count));
}

TEST_CASE("the distribution, by Kolmogorov and Smirnov") {
  std::vector<double> sorted = deviates();
  std::sort(sorted.begin(), sorted.end());
  double largest = 0;
  for (int i = 0; i < count; ++i) {
    const double at = distribution(sorted[i]);
    largest = std::max({largest, at - double(i) / count, double(i + 1) / count - at});
  }
  // Beyond 1.95 / √n in one case of 1000.
  CHECK(largest < 1.95 / std::sqrt(double(count)));
}

TEST_CASE("tails hold as many as they should, within four deviations") {
  for (const double at : {2., 3., 4.}) {
    const double share = 2 * distribution(-at), expected = share * count;
    const double found = mean([&](double x) { return std::abs(x) > at; }) * count;
    INFO("beyond ", at);
    CHECK(std::abs(found - expected) < 4 * std::sqrt(expected));
  }
}

TEST_CASE("the two of a pair, and their squares, are not correlated") {
  const std::vector<double>& x = deviates();
  double product = 0, squares = 0;
  for (int i = 0; i < count; i += 2) {
    product += x[i] * x[i + 1];
    squares += (x[i] * x[i] - 1) * (x[i + 1] * x[i + 1] - 1);
  }
  CHECK(std::abs(product / pairs) < 4 * std::sqrt(1. / pairs));
  CHECK(std::abs(squares / pairs) < 4 * std::sqrt(4. / pairs));
}
