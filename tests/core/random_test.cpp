// SPDX-License-Identifier: MIT
// Philox gives Random123's known answers on every backend; uniform and below have no bias.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <polyq/core/random.hpp>
#include <set>
#include <vector>

#include "backends.hpp"

namespace core = polyq::core;
using core::Stream;

namespace {

std::array<std::uint32_t, 4> block(std::uint64_t seed, Stream stream, std::uint64_t step,
                                   std::uint32_t lane) {
  const core::Words words = core::philox(seed, stream, step, lane);
  return {words.word[0], words.word[1], words.word[2], words.word[3]};
}

constexpr std::array streams{Stream::init,      Stream::explore, Stream::environment_reset,
                             Stream::noise,     Stream::sample,  Stream::environment_step,
                             Stream::evaluation};

/// Pearson's statistic of equally likely cells.
template <std::size_t Cells>
double chi_square(const std::array<int, Cells>& counts, double draws) {
  const double expected = draws / Cells;
  double statistic = 0;
  for (const int count : counts) statistic += (count - expected) * (count - expected) / expected;
  return statistic;
}

struct Draw {
  core::Words* out;
  POLYQ_HD void operator()(std::int64_t lane) const {
    out[lane] = core::Random{5, Stream::sample, 12, std::uint32_t(lane)}.words();
  }
};

}  // namespace

// kat_vectors of Random123, "philox4x32 10": counter words 0 and 1 are the step, low half first,
// word 2 is the lane, word 3 the stream; key words are the seed, low half first.
TEST_CASE("known answers of Random123") {
  using Block = std::array<std::uint32_t, 4>;
  CHECK(block(0, Stream(0), 0, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(block(~std::uint64_t{0}, Stream(0xffffffff), ~std::uint64_t{0}, 0xffffffff) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(block(0x299f31d0a4093822, Stream(0x03707344), 0x85a308d3243f6a88, 0x13198a2e) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams, steps, lanes and seeds never draw the same block") {
  // A block cipher's outputs under one key are distinct for sure; two keys share one of these
  // 1080 by chance with probability 1080^2 / 2 / 2^128.
  std::set<std::array<std::uint32_t, 4>> blocks;
  std::size_t drawn = 0;
  for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1} << 32})
    for (const Stream stream : streams)
      for (const std::uint64_t step : {0, 1, 2, 3})
        for (std::uint32_t lane = 0; lane < 10; ++lane, ++drawn)
          blocks.insert(block(seed, stream, step << 31, lane));
  CHECK(drawn == 3 * 7 * 4 * 10);
  CHECK(blocks.size() == drawn);
}

TEST_CASE("two streams are independent bit by bit") {
  // Of 7813 * 128 = 1 000 064 pairs of bits half agree; four deviations of sqrt(10^6) / 2 = 500
  // are exceeded by chance in 6 of 10^5 generators.
  for (const Stream stream : {Stream::explore, Stream::noise}) {
    int agree = 0;
    for (int i = 0; i < 7813; ++i) {
      const auto a = block(1, Stream::init, i, 0), b = block(1, stream, i, 0);
      for (int k = 0; k < 4; ++k) agree += __builtin_popcount(~(a[k] ^ b[k]));
    }
    CHECK(std::abs(agree - 500'032) < 2000);
  }
}

TEST_CASE("uniform lies in [0, 1) and reaches both ends") {
  CHECK(core::uniform(0) == 0);
  CHECK(core::uniform(0xff) == 0);
  CHECK(core::uniform(0x100) == 0x1p-24f);
  CHECK(core::uniform(0x80000000) == .5f);
  CHECK(core::uniform(0xffffffff) == 1 - 0x1p-24f);
  CHECK(core::uniform(0xffffffff) < 1);
}

// 330.52 is the 0.999 quantile of chi-square with 255 degrees of freedom.
TEST_CASE("10^6 uniform draws fill 256 cells evenly") {
  std::array<int, 256> counts{};
  for (std::uint32_t lane = 0; lane < 250'000; ++lane)
    for (const std::uint32_t word : block(3, Stream::noise, 0, lane))
      ++counts[int(core::uniform(word) * 256)];
  CHECK(chi_square(counts, 1e6) < 330.52);
}

// 22.458 is the 0.999 quantile of chi-square with 6 degrees of freedom.
TEST_CASE("10^6 draws below 7 are equally likely") {
  std::array<int, 7> counts{};
  for (std::uint32_t lane = 0; lane < 250'000; ++lane)
    for (const std::uint32_t word : block(3, Stream::sample, 9, lane))
      ++counts[core::below(word, 7)];
  CHECK(chi_square(counts, 1e6) < 22.458);
}

TEST_CASE("below splits the 2^32 words into parts whose sizes differ by at most one") {
  for (const std::uint64_t n : {1u, 2u, 3u, 7u, 1000u, 1'000'003u, 0xffffffffu}) {
    const std::uint64_t all = std::uint64_t{1} << 32;
    const auto first_of = [&](std::uint64_t k) { return (k * all + n - 1) / n; };
    for (const std::uint64_t k : {std::uint64_t{0}, n / 3, n / 2, n - 1}) {
      const std::uint64_t first = first_of(k), next = first_of(k + 1);
      CHECK(core::below(std::uint32_t(first), std::uint32_t(n)) == k);
      CHECK(core::below(std::uint32_t(next - 1), std::uint32_t(n)) == k);
      CHECK(next - first >= all / n);
      CHECK(next - first <= all / n + 1);
    }
  }
}

TEST_CASE_TEMPLATE("the same draws on every backend", B, POLYQ_BACKENDS) {
  typename B::Machine machine(B{});
  auto memory = machine.template allocate<core::Words>(33);
  machine.for_each(33, Draw{memory.get()});
  std::vector<core::Words> words(33);
  machine.download(words.data(), memory.get(), words.size());
  for (std::uint32_t lane = 0; lane < 33; ++lane)
    for (int k = 0; k < 4; ++k) CHECK(words[lane].word[k] == block(5, Stream::sample, 12, lane)[k]);
}
