// SPDX-License-Identifier: MIT
// Greedy: a trained agent's action for one observation, for those who deploy it in their program.
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "polyq/dqn/dqn.hpp"
#include "polyq/dqn/stage.hpp"
#include "polyq/math/explore.hpp"
#include "polyq/math/finite.hpp"

namespace polyq {

/// Must die before its agent; sees the agent's parameters as they are at each call.
template <class Agent>
class Greedy {
 public:
  static constexpr int O = Agent::O, A = Agent::A;

  explicit Greedy(Agent& agent) : agent_(&agent), stage_(agent) {}

  /// Q of every action at an observation [O]. Waits; allocates nothing. Throws SettingsError for an
  /// observation that is not finite.
  std::array<float, A> values(std::span<const float, O> observation) {
    for (int o = 0; o < O; ++o)
      if (!math::is_finite(observation[o]))
        require(false, "observation[" + shown(o) + "]", observation[o], "finite numbers");
    auto& machine = agent_->machine();
    machine.upload(stage_.observations().data, observation.data(), O);
    stage_.forward(nn::Role::evaluation, agent_->online());
    std::array<float, Agent::NetworkType::out> output;
    machine.download(output.data(), stage_.outputs().data, output.size());
    std::array<float, A> room, values;
    const float* read = agent_->rule().template values<A>(output.data(), room.data());
    std::copy_n(read, A, values.begin());
    return values;
  }
  /// The action of the largest Q; the lowest index among equals.
  int operator()(std::span<const float, O> observation) {
    return math::argmax(values(observation).data(), A);
  }
  /// Among the legal actions; throws SettingsError where none is.
  int operator()(std::span<const float, O> observation, const math::ActionMask<A>& legal) {
    const int count = math::count_legal(legal.word, A);
    require(count > 0, "number of legal actions", count, ">= 1");
    return math::argmax(values(observation).data(), A, legal.word);
  }

 private:
  Agent* agent_;
  Stage<Agent, 1> stage_;
};

}  // namespace polyq
