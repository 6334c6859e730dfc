// SPDX-License-Identifier: MIT
// Denormal numbers are zero while a FlushDenormals lives, and only then; the mode comes back.
#include <doctest/doctest.h>

#include <limits>
#include <polyq/backend/flush_denormals.hpp>

using polyq::backend::FlushDenormals;

namespace {

constexpr float smallest_normal = std::numeric_limits<float>::min();

// Volatile, so that the processor multiplies and not the compiler.
bool result_is_flushed() {
  volatile float normal = smallest_normal;
  volatile float half = normal * .5f;
  return half == 0;
}
bool operand_is_flushed() {
  volatile float denormal = std::numeric_limits<float>::denorm_min();
  volatile float normal = denormal * 0x1p40f;
  return normal == 0;
}
bool flushes() {
  CHECK(result_is_flushed() == operand_is_flushed());
  return result_is_flushed();
}

}  // namespace

TEST_CASE("results and operands are flushed inside, and not outside" *
          doctest::skip(!FlushDenormals::available)) {
  CHECK(!flushes());
  {
    const FlushDenormals flush(true);
    CHECK(flushes());
    volatile float normal = smallest_normal;
    CHECK(normal * 1.5f == 1.5f * smallest_normal);  // what is normal stays
  }
  CHECK(!flushes());
}

TEST_CASE("without flushing nothing changes, and the mode outside is respected" *
          doctest::skip(!FlushDenormals::available)) {
  const FlushDenormals none(false);
  CHECK(!flushes());
  {
    const FlushDenormals outer(true);
    {
      const FlushDenormals inner(false);  // leaves the mode as it is
      CHECK(flushes());
    }
    CHECK(flushes());
    { const FlushDenormals inner(true); }
    CHECK(flushes());
  }
  CHECK(!flushes());
}

TEST_CASE("an exception restores the mode" * doctest::skip(!FlushDenormals::available)) {
  try {
    const FlushDenormals flush(true);
    throw 1;
  } catch (int) {
    CHECK(!flushes());
  }
}

TEST_CASE("a processor without the mode refuses it" * doctest::skip(FlushDenormals::available)) {
  CHECK_NOTHROW(FlushDenormals(false));
  CHECK_THROWS_AS(FlushDenormals(true), polyq::SettingsError);
}
