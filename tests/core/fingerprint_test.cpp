// SPDX-License-Identifier: MIT
// Fingerprint: equal for equal settings, another for each single difference.
#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <polyq/core/fingerprint.hpp>
#include <set>
#include <string>
#include <tuple>

namespace {

using polyq::core::Fingerprint;

template <class... Values>
std::uint64_t of(const Values&... values) {
  return Fingerprint().add(values...).value();
}

struct Rate {
  float start, end;
  auto fields() const { return std::tie(start, end); }
};
struct Policy {
  Rate rate;
  int size;
  auto fields() const { return std::tie(rate, size); }
};
struct OtherPolicy : Policy {};
struct Silent {
  int number;
};
enum class Mode : std::uint8_t { fast, careful };

}  // namespace

TEST_CASE("the same values have the same fingerprint") {
  CHECK(of(1, 2.f, std::string("a")) == of(1, 2.f, "a"));
  CHECK(of(Policy{{1, 2}, 3}) == of(Policy{{1, 2}, 3}));
  CHECK(of(1, 2) == Fingerprint().add(1).add(2).value());
}

TEST_CASE("each difference of value, order, type or presence makes another") {
  const std::set<std::uint64_t> all{of(),
                                    of(0),
                                    of(1),
                                    of(std::uint64_t{1}),
                                    of(true),
                                    of(1, 2),
                                    of(2, 1),
                                    of(1.f),
                                    of("1"),
                                    of("1", ""),
                                    of("", "1"),
                                    of(Mode::careful, Mode::fast),
                                    of(std::optional<int>()),
                                    of(std::optional<int>(1)),
                                    of(std::optional<int>(0)),
                                    of(Policy{{1, 2}, 3}),
                                    of(Policy{{2, 1}, 3}),
                                    of(Policy{{1, 2}, 4}),
                                    of(OtherPolicy{{{1, 2}, 3}}),
                                    of(Silent{1})};
  CHECK(all.size() == 20);
}

TEST_CASE("of a type that names no fields its name counts") {
  CHECK(of(Silent{1}) == of(Silent{2}));
  CHECK(polyq::core::type_text<Silent>() != polyq::core::type_text<Rate>());
}
