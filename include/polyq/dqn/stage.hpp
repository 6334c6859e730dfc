// SPDX-License-Identifier: MIT
// Stage: what N environments and a network pass to each other: observations, outputs, actions,
// and what a step writes. Acting has one, and so has evaluation.
#pragma once
#include <cstdint>

#include "polyq/core/arena.hpp"
#include "polyq/dqn/dqn.hpp"
#include "polyq/env/concept.hpp"

namespace polyq {

/// Must die before its agent. All views are of backend memory, zero at the start. `Masked`: whether
/// the environments say which actions are legal.
template <class Agent, int N, bool Masked = false>
class Stage {
 public:
  using Observations = typename Agent::template Observations<N>;
  using Outputs = typename Agent::template Outputs<N>;

  explicit Stage(Agent& agent)
      : agent_(&agent), arena_(agent.machine(), places.all.bytes(), "a stage") {}

  Observations observations() const { return {arena_[places.observations]}; }  // [O,N]
  Outputs outputs() const { return {arena_[places.outputs]}; }                 // [A,N]
  float* room() const { return arena_[places.room]; }               // of a rule's values [A,N]
  std::int32_t* actions() const { return arena_[places.actions]; }  // [N]
  std::uint32_t* legal() const { return Masked ? arena_[places.legal] : nullptr; }  // [words,N]
  env::Stepped<Observations> stepped() const {
    return {{arena_[places.next]},
            observations(),
            arena_[places.rewards],
            arena_[places.terminated],
            arena_[places.truncated],
            legal(),
            Masked ? arena_[places.legal_next] : nullptr};
  }

  /// outputs ← the network of `parameters` [P] at the observations. Enqueues.
  void forward(nn::Role role, const float* parameters) {
    agent_->template forward<N>(role, parameters, observations(), outputs(), arena_[places.tape]);
  }

 private:
  struct Places {
    core::Layout all;
    core::Place<float> observations, next, outputs, room, tape, rewards;
    core::Place<std::int32_t> actions;
    core::Place<std::uint8_t> terminated, truncated;
    core::Place<std::uint32_t> legal, legal_next;

    constexpr Places() {
      using Storage = typename Agent::Storage;
      using Network = typename Agent::NetworkType;
      observations = all.place<float>(Storage::activation_size(Agent::O, N));
      next = all.place<float>(Storage::activation_size(Agent::O, N));
      outputs = all.place<float>(Storage::activation_size(Network::out, N));
      room = all.place<float>(std::size_t(Agent::A) * N);
      tape = all.place<float>(Network::template tape_size<Storage, N>());
      rewards = all.place<float>(N);
      actions = all.place<std::int32_t>(N);
      terminated = all.place<std::uint8_t>(N);
      truncated = all.place<std::uint8_t>(N);
      legal = all.place<std::uint32_t>(Masked ? math::mask_words(Agent::A) * N : 0);
      legal_next = all.place<std::uint32_t>(Masked ? math::mask_words(Agent::A) * N : 0);
    }
  };
  static constexpr Places places{};

  Agent* agent_;
  core::Arena<typename Agent::Machine> arena_;
};

}  // namespace polyq
