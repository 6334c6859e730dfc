// SPDX-License-Identifier: MIT
// Modulo is %, for numbers of every size, at multiples and beside them.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/core/random.hpp>
#include <polyq/math/modulo.hpp>

using polyq::math::Modulo;
namespace core = polyq::core;

namespace {

/// 64 random bits, of which `bits` remain.
std::uint64_t number(std::uint64_t salt, std::uint32_t lane, int bits) {
  const core::Words words = core::philox(3, core::Stream::noise, salt, lane);
  return (std::uint64_t{words.word[0]} << 32 | words.word[1]) >> (64 - bits);
}

}  // namespace

TEST_CASE("x mod n by hand") {
  CHECK(Modulo(1)(0) == 0);
  CHECK(Modulo(1)(17) == 0);
  CHECK(Modulo(5)(4) == 4);
  CHECK(Modulo(5)(5) == 0);
  CHECK(Modulo(5)(~std::uint64_t{0}) == 0);  // 2^64 = 1 mod 5
  CHECK(Modulo(std::uint64_t{1} << 63)(~std::uint64_t{0}) == (std::uint64_t{1} << 63) - 1);
  CHECK(Modulo(7).n() == 7);
}

TEST_CASE("as % for 200 000 pairs of every length, and at multiples") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const std::uint64_t n = number(0, i, 1 + int(i % 64)) | 1;
    const std::uint64_t x = number(1, i, 1 + int(i / 64 % 64));
    const std::uint64_t multiple = x - x % n;
    const Modulo modulo(n);
    wrong += modulo(x) != x % n;
    wrong += modulo(multiple) != 0;
    wrong += modulo(multiple - 1) != (multiple - 1) % n;
  }
  CHECK(wrong == 0);
}
