// SPDX-License-Identifier: MIT
// Hosted: filled in order, reached by number and by range; a single one without a vector.
#include <doctest/doctest.h>

#include <memory>
#include <polyq/dqn/hosted.hpp>

TEST_CASE_TEMPLATE("each is made from its number", Boxed, std::unique_ptr<int>) {
  polyq::Hosted<Boxed, false> several(3, [](int i) { return std::make_unique<int>(10 + i); });
  int next = 10;
  for (const Boxed& box : several) CHECK(*box == next++);
  CHECK(next == 13);
  CHECK(*several[2] == 12);
  polyq::Hosted<Boxed, true> single(1, [](int i) { return std::make_unique<int>(10 + i); });
  CHECK(*single[0] == 10);
  CHECK(single.end() - single.begin() == 1);
}

TEST_CASE("a single one need not be movable and takes no more than itself") {
  struct Fixed {
    explicit Fixed(int n) : number(n) {}
    Fixed(const Fixed&) = delete;
    int number;
  };
  polyq::Hosted<Fixed, true> single(1, [](int i) { return Fixed(i + 7); });
  CHECK(single[0].number == 7);
  static_assert(sizeof(single) == sizeof(Fixed));
}
