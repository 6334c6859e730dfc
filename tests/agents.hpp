// SPDX-License-Identifier: MIT
// What tests do to agents: fill their replay with made-up rows, compare parameters per tensor.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/core/arena.hpp>
#include <polyq/core/clock.hpp>
#include <polyq/core/random.hpp>
#include <polyq/replay/concept.hpp>
#include <vector>

namespace test {

/// Pushes `count` rows of one environment: observations in ±1, every 17th terminated, every 23rd
/// truncated, the reward equal to the first feature; the same numbers on every backend.
template <class Agent>
void fill(Agent& agent, int count) {
  namespace core = polyq::core;
  using Observations = typename Agent::template Observations<1>;
  agent.replay().attach(1);
  for (int i = 0; i < count; ++i) {
    std::vector<float> now(Observations::stride), next(Observations::stride);
    for (int o = 0; o < Agent::O; ++o) {
      const core::Words words = core::philox(9, core::Stream::noise, i, std::uint32_t(o));
      now[o] = core::uniform(words.word[0]) * 2 - 1;
      next[o] = core::uniform(words.word[1]) * 2 - 1;
    }
    std::int32_t action = i % Agent::A;
    float reward = now[0];
    std::uint8_t terminated = i % 17 == 0, truncated = !terminated && i % 23 == 0;
    const polyq::replay::Rows<Observations> rows{{now.data()}, {next.data()}, &action,
                                                 &reward,      &terminated,   &truncated};
    agent.replay().push(agent.machine(), agent.clock(), rows);
    agent.machine().for_each(1, core::Tick{agent.clock(), 1, 0});
  }
}

/// Sizes of tensors do not depend on how they are stored.
struct Plain {
  static constexpr int granule = 1;
  static constexpr int stride(int rows) { return rows; }
  static constexpr std::size_t activation_size(int rows, int columns) { return rows * columns; }
  static constexpr bool outputs_contiguous(int, int) { return true; }
  static constexpr std::size_t dense_scratch(int, int) { return 0; }
};

/// max |a − b| / max |b| of the worst tensor of Network, infinite where a number is not finite;
/// a and b are packed.
template <class Network, class A, class B>
double worst_tensor(const A& a, const B& b) {
  double worst = 0;
  std::size_t i = 0;
  for (const polyq::core::Block& block : Network::template blocks<Plain>()) {
    double difference = 0, largest = 1e-30;
    for (int n = 0; n < block.rows * block.columns; ++n, ++i) {
      if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
      difference = std::max(difference, std::abs(double(a[i]) - double(b[i])));
      largest = std::max(largest, std::abs(double(b[i])));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

}  // namespace test
