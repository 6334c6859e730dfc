// SPDX-License-Identifier: MIT
// What the benchmarks share: a filled replay, and a JSON object a line.
#pragma once
#include <cstdint>
#include <cstdio>
#include <polyq/core/clock.hpp>
#include <polyq/core/random.hpp>
#include <polyq/replay/concept.hpp>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Pushes `count` made-up rows of one environment, into every shard.
template <class Agent>
void fill(Agent& agent, int count) {
  namespace core = polyq::core;
  using Observations = typename Agent::template Observations<1>;
  for (auto& shard : agent.shards()) shard.replay().attach(1);
  for (int i = 0; i < count; ++i) {
    float now[Observations::stride]{}, next[Observations::stride]{};
    for (int o = 0; o < Agent::O; ++o) {
      const core::Words words = core::philox(9, core::Stream::noise, i, std::uint32_t(o));
      now[o] = core::uniform(words.word[0]) * 2 - 1;
      next[o] = core::uniform(words.word[1]) * 2 - 1;
    }
    std::int32_t action = i % Agent::A;
    float reward = 1;
    std::uint8_t terminated = i % 17 == 0, truncated = 0;
    const polyq::replay::Rows<Observations> rows{{now},   {next},      &action,
                                                 &reward, &terminated, &truncated};
    for (auto& shard : agent.shards()) shard.replay().push(agent.machine(), agent.clock(), rows);
    agent.machine().for_each(1, core::Tick{agent.clock(), 1, 0});
  }
}

/// Prints {"bench": …, "case": …, and the numbers}, the form that every benchmark's lines have.
inline void print_line(const char* bench, const std::string& what,
                       const std::vector<std::pair<const char*, double>>& numbers) {
  std::printf("{\"bench\": \"%s\", \"case\": \"%s\"", bench, what.c_str());
  for (const auto& [name, number] : numbers) std::printf(", \"%s\": %.6g", name, number);
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace bench
