// SPDX-License-Identifier: MIT
// The projection beside rlax's published constants, and beside the definition in double for drawn
// cases: places beyond the ends, on atoms, all on one; mass is kept. By every team.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/core/random.hpp>
#include <polyq/math/projection.hpp>
#include <vector>

#include "teams.hpp"

namespace core = polyq::core;
namespace math = polyq::math;

namespace {

float uniform(std::uint32_t salt, std::uint32_t k) {
  return core::uniform(core::philox(8, core::Stream::init, salt, k).word[0]);
}

/// Every target's mass by the definition: Σ p · max(0, 1 − distance), places clipped.
std::vector<double> defined(const math::SpacedMasses& from, int count) {
  std::vector<double> target(count);
  for (int j = 0; j < count; ++j)
    for (int i = 0; i < from.count; ++i) {
      const double at =
          std::clamp(double(from.first) + double(from.step) * i, 0., double(count - 1));
      target[j] += from.p[i] * std::max(0., 1 - std::abs(at - j));
    }
  return target;
}

void compare(const math::SpacedMasses& from, int count) {
  CAPTURE(from.first);
  CAPTURE(from.step);
  CAPTURE(count);
  const std::vector<double> expected = defined(from, count);
  double all = 0;
  for (int i = 0; i < from.count; ++i) all += from.p[i];
  // A place near the last target rounds by half a unit twice, in the product and in the sum; the
  // product's, of sources far beyond the ends, is their size's. Masses are 1 in all.
  const double place = std::abs(from.first) + double(from.step) * from.count;
  const double rounding = 1.2e-7 * (2 + std::min(place, 2. * count + from.step * from.count));
  test::every_team([&](const auto& team) {
    std::vector<float> target(count, NAN);
    math::project(team, from, target.data(), count);
    double sum = 0;
    for (int j = 0; j < count; ++j) {
      CHECK(std::abs(target[j] - expected[j]) <= rounding);
      sum += target[j];
    }
    CHECK(std::abs(sum - all) < 1e-6);
  });
}

std::vector<float> masses(int count, std::uint32_t salt) {
  std::vector<float> p;
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += p.emplace_back(uniform(salt, 100 + i));
  for (float& mass : p) mass /= sum;
  return p;
}

}  // namespace

// rlax (Apache-2.0), value_learning_test.py, L2ProjectTest: supports from -1 and from 0 by 1/4 onto
// the same range by 1/2; the weights are the supports, with every second one 0.
TEST_CASE("rlax's constants") {
  const float weights[2][8] = {{0, -.75f, 0, -.25f, 0, .25f, 0, .75f},
                               {0, 0, .5f, 0, 1, 0, 1.5f, 0}};
  const float expected[2][4] = {{-.375f, -.5f, 0, .875f}, {0, .5f, 1, 1.5f}};
  test::every_team([&](const auto& team) {
    for (int row = 0; row < 2; ++row) {
      float target[4] = {NAN, NAN, NAN, NAN};
      math::project(team, {weights[row], 8, 0, .5f}, target, 4);
      for (int j = 0; j < 4; ++j) CHECK(target[j] == expected[row][j]);
    }
  });
}

TEST_CASE("drawn cases: from 2 to 51 sources and targets, rewards within and far beyond") {
  for (std::uint32_t salt = 0; salt < 400; ++salt) {
    const int from = 2 + int(50 * uniform(salt, 0)), to = 2 + int(50 * uniform(salt, 1));
    const std::vector<float> p = masses(from, salt);
    const float size = salt % 4 == 0 ? 1e3f : float(to);
    const float first = size * (3 * uniform(salt, 2) - 1.5f), step = 1.2f * uniform(salt, 3);
    compare({p.data(), from, first, step}, to);
  }
}

TEST_CASE("every discount: 0, so small that its inverse is infinite, and 1") {
  const std::vector<float> p = masses(51, 1);
  for (const float step : {0.f, 1e-42f, 1e-30f, 1e-6f, .01f, .3f, .5f, .97f, 1.f, 1.7f})
    for (const float first : {-1e30f, -60.f, -1.f, -.25f, 0.f, 1.f, 7.3f, 49.f, 50.f, 51.5f, 1e30f})
      compare({p.data(), 51, first, step}, 51);
}

TEST_CASE("places on atoms keep their masses as they are") {
  const std::vector<float> p = masses(51, 2);
  test::every_team([&](const auto& team) {
    std::vector<float> target(51);
    math::project(team, {p.data(), 51, 0, 1}, target.data(), 51);
    CHECK(target == p);
    math::project(team, {p.data(), 51, 3, 1}, target.data(), 51);
    for (int j = 0; j < 50; ++j) CHECK(target[j] == (j < 3 ? 0.f : p[j - 3]));
    math::project(team, {p.data(), 51, 17, 0}, target.data(), 51);  // all on one
    for (int j = 0; j < 51; ++j)
      CHECK(target[j] == doctest::Approx(j == 17 ? 1. : 0.).epsilon(1e-6));
  });
}
