// SPDX-License-Identifier: MIT
// Rewards pass as they are by default, are scaled first and then clipped; bad settings throw.
#include <doctest/doctest.h>

#include <limits>
#include <polyq/math/reward.hpp>

namespace math = polyq::math;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("nothing is changed by default") {
  const math::RewardTransform same;
  CHECK_NOTHROW(same.check());
  for (const float reward : {-1e30f, -1.f, 0.f, .1f, 1e30f}) CHECK(same(reward) == reward);
}

TEST_CASE("scaling comes before clipping") {
  const math::RewardTransform transform{.scale = .1f, .clip = 1};
  CHECK(transform(5) == 5 * .1f);  // clipped first it would be .1
  CHECK(transform(10) == 1);
  CHECK(transform(200) == 1);
  CHECK(transform(-200) == -1);
  CHECK(transform(0) == 0);
}

TEST_CASE("a scale is finite and above 0") {
  CHECK_THROWS_WITH_AS((math::RewardTransform{.scale = 0}.check()),
                       "polyq: RewardTransform.scale = 0; allowed: finite and > 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS((math::RewardTransform{.scale = -1}.check()),
                       "polyq: RewardTransform.scale = -1; allowed: finite and > 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS((math::RewardTransform{.scale = not_a_number}.check()),
                       "polyq: RewardTransform.scale = nan; allowed: finite and > 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS((math::RewardTransform{.scale = infinity}.check()),
                       "polyq: RewardTransform.scale = inf; allowed: finite and > 0",
                       polyq::SettingsError);
}

TEST_CASE("a clip is above 0, and may be endless") {
  CHECK_NOTHROW(math::RewardTransform{.clip = infinity}.check());
  CHECK_THROWS_WITH_AS((math::RewardTransform{.clip = 0}.check()),
                       "polyq: RewardTransform.clip = 0; allowed: > 0", polyq::SettingsError);
  CHECK_THROWS_WITH_AS((math::RewardTransform{.clip = -2}.check()),
                       "polyq: RewardTransform.clip = -2; allowed: > 0", polyq::SettingsError);
  CHECK_THROWS_WITH_AS((math::RewardTransform{.clip = not_a_number}.check()),
                       "polyq: RewardTransform.clip = nan; allowed: > 0", polyq::SettingsError);
}
