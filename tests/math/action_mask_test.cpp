// SPDX-License-Identifier: MIT
// Action masks: bits of 1 to 70 actions, counted and picked in order; no mask allows everything.
#include <doctest/doctest.h>

#include <polyq/math/action_mask.hpp>
#include <vector>

namespace math = polyq::math;

namespace {

template <int A>
void check_bits(int stride) {
  math::ActionMask<A> mask;
  CHECK(math::count_legal(mask.word, A) == 0);
  CHECK(math::nth_legal(mask.word, A, 0) == 0);
  std::vector<int> allowed;
  for (int a = stride - 1; a < A; a += stride) {
    mask.allow(a);
    allowed.push_back(a);
  }
  for (int a = 0; a < A; ++a) {
    CHECK(mask[a] == (a % stride == stride - 1));
    CHECK(math::allows(mask.word, a) == mask[a]);
  }
  CHECK(math::count_legal(mask.word, A) == int(allowed.size()));
  for (int n = 0; n < int(allowed.size()); ++n)
    CHECK(math::nth_legal(mask.word, A, n) == allowed[n]);
}

}  // namespace

TEST_CASE("bits are counted and picked in order") {
  static_assert(math::mask_words(1) == 1 && math::mask_words(32) == 1);
  static_assert(math::mask_words(33) == 2 && math::mask_words(70) == 3);
  for (const int stride : {1, 2, 3, 7}) {
    check_bits<1>(stride);
    check_bits<5>(stride);
    check_bits<32>(stride);
    check_bits<33>(stride);
    check_bits<70>(stride);
  }
}

TEST_CASE("no mask allows everything") {
  CHECK(math::allows(nullptr, 40));
  CHECK(math::count_legal(nullptr, 40) == 40);
  CHECK(math::nth_legal(nullptr, 40, 17) == 17);
}
