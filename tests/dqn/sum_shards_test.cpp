// SPDX-License-Identifier: MIT
// sum_shards: the tree's bits, wherever its subtrees were summed.
#include <doctest/doctest.h>

#include <cstddef>
#include <polyq/core/random.hpp>
#include <polyq/dqn/sum_shards.hpp>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace {

namespace core = polyq::core;

std::vector<float> numbers_of(int shard, std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = core::uniform(core::philox(3, {}, i, std::uint32_t(shard)).word[0]) - .4f;
  return values;
}
/// The tree's sum of shards [first, first + count), by recursion.
std::vector<float> tree(int first, int count, std::size_t n) {
  if (count == 1) return numbers_of(first, n);
  std::vector<float> left = tree(first, count / 2, n);
  const std::vector<float> right = tree(first + count / 2, count / 2, n);
  for (std::size_t i = 0; i < n; ++i) left[i] += right[i];
  return left;
}
/// Shards [first, first + count) summed on a machine.
template <class B>
std::vector<float> summed(int first, int count, std::size_t n) {
  typename B::Machine machine{B{}};
  std::vector<decltype(test::uploaded(machine, std::vector<float>()))> spans;
  for (int i = 0; i < count; ++i)
    spans.push_back(test::uploaded(machine, numbers_of(first + i, n)));
  polyq::sum_shards(machine, count, n, [&](int i) { return spans[std::size_t(i)].get(); });
  return test::downloaded(machine, spans[0].get(), n);
}

}  // namespace

TEST_CASE_TEMPLATE("the sum is the binary tree's, bit for bit", B, POLYQ_BACKENDS) {
  for (const int count : {1, 2, 4, 8, 16, 32}) {
    CAPTURE(count);
    for (const std::size_t n : {1, 31, 33, 1'000})
      CHECK(summed<B>(0, count, n) == tree(0, count, n));
  }
}

TEST_CASE_TEMPLATE("sums of subtrees make the same tree", B, POLYQ_BACKENDS) {
  constexpr std::size_t n = 257;
  for (const int ranks : {2, 4, 8}) {
    typename B::Machine machine{B{}};
    std::vector<decltype(test::uploaded(machine, std::vector<float>()))> partials;
    for (int r = 0; r < ranks; ++r)
      partials.push_back(test::uploaded(machine, summed<B>(r * 8 / ranks, 8 / ranks, n)));
    polyq::sum_shards(machine, ranks, n, [&](int r) { return partials[std::size_t(r)].get(); });
    CHECK(test::downloaded(machine, partials[0].get(), n) == tree(0, 8, n));
  }
}
