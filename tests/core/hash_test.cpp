// SPDX-License-Identifier: MIT
// fnv1a gives the published 64-bit FNV-1a values, also in constants, and sees the order of bytes.
#include <doctest/doctest.h>

#include <array>
#include <polyq/core/hash.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace core = polyq::core;

namespace {

std::uint64_t hash_of(std::string_view text) { return core::fnv1a(std::as_bytes(std::span(text))); }

}  // namespace

// From the authors' test_fnv.c.
TEST_CASE("published values") {
  CHECK(hash_of("") == 0xcbf29ce484222325u);
  CHECK(hash_of("a") == 0xaf63dc4c8601ec8cu);
  CHECK(hash_of("b") == 0xaf63df4c8601f1a5u);
  CHECK(hash_of("foo") == 0xdcb27518fed9d577u);
  CHECK(hash_of("foobar") == 0x85944171f73967e8u);
  CHECK(hash_of("chongo was here!\n") == 0x46810940eff5f915u);
}

TEST_CASE("bytes above 127 count as unsigned; a hash may be a constant") {
  constexpr std::array bytes{std::byte{0xff}, std::byte{0}, std::byte{0}, std::byte{1}};
  static_assert(core::fnv1a(bytes) == 0x6961196491cc682du);  // test_fnv.c
}

TEST_CASE("order, and zeros at the end, change the hash") {
  CHECK(hash_of("ab") != hash_of("ba"));
  const std::vector<std::byte> three(3), four(4);
  CHECK(core::fnv1a(three) != core::fnv1a(four));
}
