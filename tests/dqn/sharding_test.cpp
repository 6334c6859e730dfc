// SPDX-License-Identifier: MIT
// Sharding: who hosts what, and which numbers are refused.
#include <doctest/doctest.h>

#include <polyq/dqn/sharding.hpp>
#include <string>

namespace {

using polyq::Reduction;
using polyq::Sharding;
using polyq::sharding_of;

bool same(const Sharding& sharding, int shards, int first, int hosted) {
  return sharding.shards == shards && sharding.first == first && sharding.hosted == hosted;
}
std::string refusal(const polyq::DqnSettings& settings, int ranks, bool alone = false) {
  try {
    sharding_of(settings, 0, ranks, alone);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "nothing";
}
constexpr polyq::DqnSettings reproducible(int shards) {
  return {.reduction = Reduction::reproducible, .shards = shards};
}

}  // namespace

TEST_CASE("fast: a shard a rank") {
  for (const int ranks : {1, 2, 3, 8})
    for (int rank = 0; rank < ranks; ++rank)
      CHECK(same(sharding_of({}, rank, ranks, false), ranks, rank, 1));
  CHECK(same(sharding_of({.shards = 3}, 2, 3, false), 3, 2, 1));
  CHECK(refusal({.shards = 4}, 2) ==
        "polyq: DqnSettings.shards = 4; allowed: 2, the number of ranks, with Reduction::fast; "
        "several shards a rank need Reduction::reproducible");
}

TEST_CASE("reproducible: ranks host equal runs of shards, four in all unless said") {
  CHECK(same(sharding_of({.reduction = Reduction::reproducible}, 1, 2, false), 4, 2, 2));
  CHECK(same(sharding_of(reproducible(8), 0, 1, false), 8, 0, 8));
  CHECK(same(sharding_of(reproducible(8), 3, 4, false), 8, 6, 2));
  CHECK(same(sharding_of(reproducible(1), 0, 1, true), 1, 0, 1));
  for (const int shards : {0, -4, 3, 6, 1 << 17})
    CHECK(refusal(reproducible(shards), 1) ==
          "polyq: DqnSettings.shards = " + std::to_string(shards) +
              "; allowed: powers of two up to 65536 with Reduction::reproducible, whose tree they "
              "fill");
  for (const int ranks : {3, 8})
    CHECK(refusal(reproducible(4), ranks) ==
          "polyq: DqnSettings.shards = 4; allowed: a multiple of the number of ranks, " +
              std::to_string(ranks));
}

TEST_CASE("comm::None hosts one shard") {
  CHECK(same(sharding_of({}, 0, 1, true), 1, 0, 1));
  CHECK(refusal({.reduction = Reduction::reproducible}, 1, true) ==
        "polyq: DqnSettings.shards = 4; allowed: 1 with comm::None; comm::Threads{} is one rank of "
        "several shards");
}
