// SPDX-License-Identifier: MIT
// The header's macros: a version of integers, functions for host and device, checked assertions.
#include <doctest/doctest.h>

#include <polyq/core/config.hpp>

namespace {

POLYQ_HD constexpr int twice(int n) { return 2 * n; }

}  // namespace

TEST_CASE("the version is three integers that the preprocessor can compare") {
#if POLYQ_VERSION_MAJOR * 10000 + POLYQ_VERSION_MINOR * 100 + POLYQ_VERSION_PATCH < 100
  FAIL("older than 0.1.0, the first version");
#endif
  static_assert(POLYQ_VERSION_MAJOR >= 0 && POLYQ_VERSION_MINOR >= 0 && POLYQ_VERSION_PATCH >= 0);
  CHECK(POLYQ_VERSION_MINOR < 100);
}

TEST_CASE("a function marked for host and device runs, also in constants") {
  static_assert(twice(21) == 42);
  CHECK(twice(21) == 42);
}

TEST_CASE("an assertion looks at its condition once, and only in builds that check") {
  [[maybe_unused]] int looks = 0;
  POLYQ_ASSERT(++looks > 0);
#ifdef NDEBUG
  CHECK(looks == 0);
#else
  CHECK(looks == 1);
#endif
}
