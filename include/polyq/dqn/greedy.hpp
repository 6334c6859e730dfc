// SPDX-License-Identifier: MIT
// Greedy: a trained agent's action for one observation, for those who deploy it in their program.
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "polyq/core/arena.hpp"
#include "polyq/dqn/dqn.hpp"
#include "polyq/math/explore.hpp"

namespace polyq {

/// Must die before its agent; sees the agent's parameters as they are at each call.
template <class Agent>
class Greedy {
 public:
  static constexpr int O = Agent::O, A = Agent::A;

  explicit Greedy(Agent& agent) : agent_(&agent), arena_(agent.machine(), places.all.bytes()) {}

  /// Q of every action at an observation [O]. Waits; allocates nothing.
  std::array<float, A> values(std::span<const float, O> observation) {
    auto& machine = agent_->machine();
    machine.upload(arena_[places.observation], observation.data(), O);
    agent_->template forward<1>(nn::Role::evaluation, agent_->online(),
                                {arena_[places.observation]}, {arena_[places.output]},
                                arena_[places.tape]);
    std::array<float, Agent::NetworkType::out> output;
    machine.download(output.data(), arena_[places.output], output.size());
    std::array<float, A> room, values;
    const float* read = agent_->rule().template values<A>(output.data(), room.data());
    std::copy_n(read, A, values.begin());
    return values;
  }
  /// The action of the largest Q; the lowest index among equals.
  int operator()(std::span<const float, O> observation) {
    return math::argmax(values(observation).data(), A);
  }

 private:
  struct Places {
    core::Layout all;
    core::Place<float> observation, output, tape;
    constexpr Places() {
      using Storage = typename Agent::Storage;
      using Network = typename Agent::NetworkType;
      observation = all.place<float>(Storage::activation_size(O, 1));
      output = all.place<float>(Storage::activation_size(Network::out, 1));
      tape = all.place<float>(Network::template tape_size<Storage, 1>());
    }
  };
  static constexpr Places places{};

  Agent* agent_;
  core::Arena<typename Agent::Machine> arena_;
};

}  // namespace polyq
