// SPDX-License-Identifier: MIT
// CheckComposition: the ladder of static_asserts through which a wrong composition fails with one
// readable sentence, from the smallest part to pairs. Sentences are ASCII: nvcc prints no other.
#pragma once
#include <concepts>
#include <cstddef>

#include "polyq/backend/concept.hpp"
#include "polyq/comm/concept.hpp"
#include "polyq/env/concept.hpp"
#include "polyq/nn/concept.hpp"
#include "polyq/optim/concept.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq {

/// The static sizes of one agent on one machine.
template <class Machine, class Network, int BatchSize>
struct Shapes {
  static constexpr int O = Network::observation_size, A = Network::action_count, B = BatchSize;
  static constexpr std::size_t P = Network::template parameters<typename Machine::Storage>();
  template <int Columns>
  using Observations = backend::Activations<typename Machine::Storage, float, O, Columns>;
  template <int Columns>
  using Outputs = backend::Activations<typename Machine::Storage, float, Network::out, Columns>;
};

/// The parts, each alone. A rung names the first thing that is wrong; those above it stay silent.
template <class B, class N, class R, class Rule, class C>
struct CheckParts {
  static constexpr bool backend = backend::Backend<B>;
  static constexpr bool network = nn::Network<N>;
  static constexpr bool replay = requires {
    { R::batch_size } -> std::convertible_to<int>;
    { R::weighted } -> std::convertible_to<bool>;
  };
  static constexpr bool rule = requires {
    { Rule::reads_online_next } -> std::convertible_to<bool>;
  };
  static constexpr bool communicator = comm::Communicator<C>;
  static constexpr bool sound = backend && network && replay && rule && communicator;

  static_assert(backend,
                "polyq::Dqn: the 1st policy is not a Backend; backend::EigenCpu{} is one "
                "(polyq/backend/concept.hpp)");
  static_assert(!backend || network,
                "polyq::Dqn: the 2nd policy is not a Network; nn::Mlp<O, hidden..., A>{} is one "
                "(polyq/nn/concept.hpp)");
  static_assert(!(backend && network) || replay,
                "polyq::Dqn: the 3rd policy is not a Replay; replay::Uniform<64>{} is one "
                "(polyq/replay/concept.hpp)");
  static_assert(!(backend && network && replay) || rule,
                "polyq::Dqn: the 6th argument is not a rule; rule::QLearning{} is one "
                "(polyq/dqn/rule.hpp)");
  static_assert(!(backend && network && replay && rule) || communicator,
                "polyq::Dqn: the 7th argument is not a Communicator; comm::None{} is one "
                "(polyq/comm/concept.hpp)");
};

/// The pairs, asked only of sound parts.
template <bool Sound, class B, class N, class R, class O, class Rule, class C>
struct CheckPairs {
  static constexpr bool sound = false;
};
template <class B, class N, class R, class O, class Rule, class C>
struct CheckPairs<true, B, N, R, O, Rule, C> {
  using Machine = typename B::Machine;
  static constexpr bool network = nn::LayerOn<N, Machine, R::batch_size>;
  static_assert(network,
                "polyq::Dqn: the network lacks a member that a Layer has on this backend; see "
                "LayerOn in polyq/nn/concept.hpp");

  static constexpr bool replay() {
    if constexpr (network) {
      return replay::ReplayOn<R, Machine, Shapes<Machine, N, R::batch_size>>;
    } else {
      return true;
    }
  }
  static_assert(
      replay(),
      "polyq::Dqn: the replay lacks attach, push, sample or reprioritize on this backend; "
      "see ReplayOn in polyq/replay/concept.hpp");

  static constexpr bool optimizer() {
    if constexpr (network) {
      return optim::OptimizerOn<O, Machine, Shapes<Machine, N, R::batch_size>>;
    } else {
      return true;
    }
  }
  static_assert(optimizer(),
                "polyq::Dqn: the 4th policy is not an Optimizer on this backend; it needs "
                "On<Machine, Shapes> with state_size and step (polyq/optim/concept.hpp)");

  static constexpr bool rule = !network || Rule::template accepts<N>;
  static_assert(rule,
                "polyq::Dqn: the rule does not accept this network's output; QLearning and "
                "DoubleQLearning need one value an action, [A, B]");

  static constexpr bool reaches = C::reaches(B::memory);
  static_assert(reaches,
                "polyq::Dqn: this communicator cannot reach this backend's memory; Nccl needs a "
                "device backend, Mpi and Threads a host one");
  static_assert(!reaches || comm::CommunicatorOn<C, Machine>,
                "polyq::Dqn: the communicator lacks all_reduce_sum on this backend; see "
                "CommunicatorOn in polyq/comm/concept.hpp");

  static constexpr bool sound =
      network && replay() && optimizer() && rule && reaches && comm::CommunicatorOn<C, Machine>;
};

template <class B, class N, class R, class O, class Rule, class C>
struct CheckComposition : CheckParts<B, N, R, Rule, C>,
                          CheckPairs<CheckParts<B, N, R, Rule, C>::sound, B, N, R, O, Rule, C> {
  static constexpr bool sound =
      CheckPairs<CheckParts<B, N, R, Rule, C>::sound, B, N, R, O, Rule, C>::sound;
};

/// Environments beside the agent that acts in them.
template <class Agent, class Environments>
struct CheckEnvironment {
  static constexpr bool sizes =
      Environments::observation_size == Agent::O && Environments::action_count == Agent::A;
  static_assert(sizes,
                "polyq::Actor: the environment's observation_size or action_count differs from the "
                "network's; nn::Mlp<observation_size, hidden..., action_count>");

  static constexpr bool complete() {
    if constexpr (sizes) {
      return env::EnvironmentsOn<Environments, typename Agent::Machine,
                                 typename Agent::template Observations<Environments::count>>;
    } else {
      return true;
    }
  }
  static_assert(
      complete(),
      "polyq::Actor: the environments lack reset, step or evaluation on this backend; see "
      "EnvironmentsOn in polyq/env/concept.hpp");
  static constexpr bool sound = sizes && complete();
};

}  // namespace polyq
