// SPDX-License-Identifier: MIT
// Random: Philox 4x32-10 (Salmon et al., SC 2011), numbers as a pure function of
// (seed, stream, step, lane), equal on every backend.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::core {

/// What a number is drawn for; adding a draw to one stream never shifts another.
enum class Stream : std::uint32_t {
  init,
  explore,
  environment_reset,
  environment_step,
  sample,
  noise,
  evaluation
};

/// Four independent 32-bit words.
struct Words {
  std::uint32_t word[4];
};

// Inlined by force: ten rounds in registers are cheaper than a call with seven arguments.
[[gnu::always_inline]] POLYQ_HD inline Words philox(std::uint64_t seed, Stream stream,
                                                    std::uint64_t step, std::uint32_t lane) {
  std::uint32_t c0 = std::uint32_t(step), c1 = std::uint32_t(step >> 32);
  std::uint32_t c2 = lane, c3 = std::uint32_t(stream);
  std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = std::uint32_t(p1 >> 32) ^ c1 ^ k0;
    c2 = std::uint32_t(p0 >> 32) ^ c3 ^ k1;
    c1 = std::uint32_t(p1);
    c3 = std::uint32_t(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A float in [0, 1) with 24 bits.
POLYQ_HD inline float uniform(std::uint32_t word) { return float(word >> 8) * 0x1p-24f; }

/// An integer in [0, n); no value is more likely than another by more than n / 2^32.
POLYQ_HD inline std::uint32_t below(std::uint32_t word, std::uint32_t n) {
  return std::uint32_t((std::uint64_t{word} * n) >> 32);
}

/// The draws of one lane at one step, as a value that a pure environment can take.
struct Random {
  std::uint64_t seed;
  Stream stream;
  std::uint64_t step;
  std::uint32_t lane;
  POLYQ_HD Words words() const { return philox(seed, stream, step, lane); }
};

}  // namespace polyq::core
