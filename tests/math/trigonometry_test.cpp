// SPDX-License-Identifier: MIT
// Sine and cosine beside the library's in double, of turns and of radians.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <polyq/math/trigonometry.hpp>

namespace math = polyq::math;

TEST_CASE("sine and cosine of a turn within 1.2e-7, and exact at quarter turns") {
  double worst = 0;
  for (std::uint64_t turn = 0; turn < std::uint64_t{1} << 32; turn += 1021) {
    const double angle = 2 * std::numbers::pi * double(turn) * 0x1p-32;
    const math::SineCosine<float> got = math::sine_cosine(std::uint32_t(turn));
    worst = std::max(worst, std::abs(got.sine - std::sin(angle)));
    worst = std::max(worst, std::abs(got.cosine - std::cos(angle)));
  }
  MESSAGE("largest error: ", worst);
  CHECK(worst <= 1.2e-7);  // two roundings near 1, of 2^-24 each
  const float sines[] = {0, 1, 0, -1, 0};
  for (std::uint32_t quarter = 0; quarter < 4; ++quarter) {
    CHECK(math::sine_cosine(quarter << 30).sine == sines[quarter]);
    CHECK(math::sine_cosine(quarter << 30).cosine == sines[quarter + 1]);
  }
}

TEST_CASE("sine and cosine of radians") {
  double worst = 0;
  const auto look = [&](float radians) {
    const math::SineCosine<float> got = math::sine_cosine(radians);
    const double error = std::max(std::abs(got.sine - std::sin(double(radians))),
                                  std::abs(got.cosine - std::cos(double(radians))));
    worst = std::max(worst, error / (1.2e-7 + 0x1p-23 * std::abs(double(radians))));
  };
  for (int i = -4'000'000; i <= 4'000'000; ++i) look(float(i) * 4e-6f);
  for (float radians = 16; radians < 1e6f; radians *= 1.0001f) {
    look(radians);
    look(-radians);
  }
  CHECK(worst <= 1);
  CHECK(math::sine_cosine(0.f).sine == 0);
  CHECK(math::sine_cosine(0.f).cosine == 1);
  CHECK(math::sine_cosine(2.).sine == std::sin(2.));
}
