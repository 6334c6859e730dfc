// SPDX-License-Identifier: MIT
// LaneTeam takes every item once, whatever the width is to the lanes.
#include <doctest/doctest.h>

#include <polyq/backend/lane_team.hpp>
#include <vector>

namespace {

template <int Lanes>
void check_team() {
  const polyq::backend::LaneTeam<Lanes> team;
  for (int width = 1; width <= 3 * Lanes + 1; ++width) {
    std::vector<int> visits(width);
    team.for_each(width, [&](int k) { ++visits[k]; });
    CHECK(visits == std::vector<int>(width, 1));
    // Distinct bits, whose sums are exact up to 24 of them.
    CHECK(team.sum(width, [](int k) { return float(1 << k % 8); }) ==
          float(width / 8 * 255 + (1 << width % 8) - 1));
    for (int largest = 0; largest < width; ++largest)
      CHECK(team.max(width, [&](int k) { return k == largest ? -.5f : -float(k) - 1; }) == -.5f);
  }
  CHECK(team.sum(0, [](int) { return 1.f; }) == 0);
}

}  // namespace

TEST_CASE("sums, maxima and visits at every width") {
  check_team<4>();
  check_team<8>();
  check_team<16>();
}
