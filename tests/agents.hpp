// SPDX-License-Identifier: MIT
// What tests do to agents: fill their replay with made-up rows, look at what an update left behind,
// compare parameters per tensor.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/core/arena.hpp>
#include <polyq/core/clock.hpp>
#include <polyq/core/random.hpp>
#include <vector>

#include "rows.hpp"

namespace test {

/// Pushes `count` rows of one environment: observations in ±1, every 17th terminated, every 23rd
/// truncated, the reward equal to the first feature; the same numbers on every backend.
template <class Agent>
void fill(Agent& agent, int count) {
  namespace core = polyq::core;
  using Observations = typename Agent::template Observations<1>;
  auto& machine = agent.machine();
  RowsOn<typename Agent::Machine, Observations> memory(machine);
  HostRows<Observations> row;
  agent.replay().attach(1);
  for (int i = 0; i < count; ++i) {
    for (int o = 0; o < Agent::O; ++o) {
      const core::Words words = core::philox(9, core::Stream::noise, i, std::uint32_t(o));
      row.observations(o, 0) = core::uniform(words.word[0]) * 2 - 1;
      row.next(o, 0) = core::uniform(words.word[1]) * 2 - 1;
    }
    row.actions[0] = i % Agent::A;
    row.rewards[0] = row.observations(0, 0);
    row.terminated[0] = i % 17 == 0;
    row.truncated[0] = i % 17 != 0 && i % 23 == 0;
    memory.upload(machine, row);
    agent.replay().push(machine, agent.clock(), memory.view());
    machine.for_each(1, core::Tick{agent.clock(), 1, 0});
  }
}

template <class Agent>
polyq::core::Clock clock_of(Agent& agent) {
  return value_at(agent.machine(), agent.clock());
}
/// The batch of the last update.
template <class Agent>
auto batch_of(Agent& agent) {
  return downloaded(agent.machine(), agent.batch());
}
/// Q(s) of the last batch [A, B].
template <class Agent>
auto now_of(Agent& agent) {
  return downloaded(agent.machine(), agent.now());
}
/// The errors of the last batch [B].
template <class Agent>
std::vector<float> td_of(Agent& agent) {
  return downloaded(agent.machine(), agent.td(), Agent::B);
}
/// Both networks and the gradient, pads included, and the errors.
template <class Agent>
std::vector<float> state_of(Agent& agent) {
  std::vector<float> all = td_of(agent);
  for (const float* span : {agent.online(), agent.target(), agent.gradient()}) {
    const std::vector<float> more = downloaded(agent.machine(), span, Agent::P);
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
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
