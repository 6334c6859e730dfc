// SPDX-License-Identifier: MIT
// ComposesDqn: whether policies make an agent. RefuseComposition: the ladder of static_asserts
// through which a wrong composition fails with one readable sentence, from the smallest part to
// pairs. Sentences are ASCII: nvcc prints no other.
#pragma once
#include <concepts>
#include <cstddef>

#include "polyq/backend/concept.hpp"
#include "polyq/comm/concept.hpp"
#include "polyq/dqn/rule.hpp"
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

/// What can be wrong, in the order in which it is asked; a rung is asked only when all before hold.
enum class Rung {
  backend,
  network,
  replay,
  rule,
  communicator,
  layer,
  replay_on,
  optimizer,
  rule_output,
  rule_steps,
  reach,
  communicator_on,
  none
};

/// The first rung that does not hold.
template <class B, class N, class R, class O, class Rule, class C>
consteval Rung first_wrong() {
  if constexpr (!backend::Backend<B>) {
    return Rung::backend;
  } else if constexpr (!nn::Network<N>) {
    return Rung::network;
  } else if constexpr (!requires {
                         { R::batch_size } -> std::convertible_to<int>;
                         { R::weighted } -> std::convertible_to<bool>;
                         { R::steps } -> std::convertible_to<int>;
                       }) {
    return Rung::replay;
  } else if constexpr (!rule::RuleOn<Rule, N>) {
    return Rung::rule;
  } else if constexpr (!comm::Communicator<C>) {
    return Rung::communicator;
  } else if constexpr (!nn::LayerOn<N, typename B::Machine, R::batch_size>) {
    return Rung::layer;
  } else {
    using Machine = typename B::Machine;
    using S = Shapes<Machine, N, R::batch_size>;
    if constexpr (!replay::ReplayOn<R, Machine, S>) {
      return Rung::replay_on;
    } else if constexpr (!optim::OptimizerOn<O, Machine, S>) {
      return Rung::optimizer;
    } else if constexpr (!Rule::template accepts<N>) {
      return Rung::rule_output;
    } else if constexpr (rule::one_step<Rule>() && R::steps > 1) {
      return Rung::rule_steps;
    } else if constexpr (!C::reaches(B::memory)) {
      return Rung::reach;
    } else if constexpr (!comm::CommunicatorOn<C, Machine>) {
      return Rung::communicator_on;
    } else {
      return Rung::none;
    }
  }
}

template <class B, class N, class R, class O, class Rule, class C>
concept ComposesDqn = first_wrong<B, N, R, O, Rule, C>()
== Rung::none;

/// Instantiated for a wrong composition only.
template <class B, class N, class R, class O, class Rule, class C>
struct RefuseComposition {
  static constexpr Rung wrong = first_wrong<B, N, R, O, Rule, C>();

  static_assert(wrong != Rung::backend,
                "polyq::Dqn: the 1st policy is not a Backend; backend::EigenCpu{} is one "
                "(polyq/backend/concept.hpp)");
  static_assert(wrong != Rung::network,
                "polyq::Dqn: the 2nd policy is not a Network; nn::Mlp<O, hidden..., A>{} is one "
                "(polyq/nn/concept.hpp)");
  static_assert(wrong != Rung::replay,
                "polyq::Dqn: the 3rd policy is not a Replay; replay::Uniform<64>{} is one "
                "(polyq/replay/concept.hpp)");
  static_assert(wrong != Rung::rule,
                "polyq::Dqn: the 6th argument is not a rule for this network; rule::QLearning{} is "
                "one (RuleOn in polyq/dqn/rule.hpp)");
  static_assert(wrong != Rung::communicator,
                "polyq::Dqn: the 7th argument is not a Communicator; comm::None{} is one "
                "(polyq/comm/concept.hpp)");
  static_assert(wrong != Rung::layer,
                "polyq::Dqn: the network lacks a member that a Layer has on this backend; see "
                "LayerOn in polyq/nn/concept.hpp");
  static_assert(wrong != Rung::replay_on,
                "polyq::Dqn: the replay lacks attach, cut, push, sample, reprioritize, masked or "
                "rows_needed on this backend; see ReplayOn in polyq/replay/concept.hpp");
  static_assert(wrong != Rung::optimizer,
                "polyq::Dqn: the 4th policy is not an Optimizer on this backend; it needs "
                "On<Machine, Shapes> with state_size and step (polyq/optim/concept.hpp)");
  static_assert(wrong != Rung::rule_output,
                "polyq::Dqn: the rule does not accept this network's output; QLearning, "
                "DoubleQLearning and Munchausen need one value an action, [A, B], Categorical and "
                "Quantile need nn::Distributional of as many atoms");
  static_assert(wrong != Rung::rule_steps,
                "polyq::Dqn: the rule is defined for transitions of one step; take the replay out "
                "of NStep, or another rule");
  static_assert(wrong != Rung::reach,
                "polyq::Dqn: this communicator cannot reach this backend's memory; Nccl needs a "
                "device backend, Mpi and Threads a host one");
  static_assert(wrong != Rung::communicator_on,
                "polyq::Dqn: the communicator lacks all_reduce_sum on this backend; see "
                "CommunicatorOn in polyq/comm/concept.hpp");
};

/// Whether environments fit the agent that is to act in them.
template <class Environments, class Agent>
concept FitsAgent =
    Environments::observation_size == Agent::O&& Environments::action_count ==
    Agent::A&& env::EnvironmentsOn<Environments, typename Agent::Machine,
                                   typename Agent::template Observations<Environments::count>>;

/// Instantiated for environments that do not fit only.
template <class Environments, class Agent>
struct RefuseEnvironments {
  static constexpr bool sizes =
      Environments::observation_size == Agent::O && Environments::action_count == Agent::A;
  static_assert(sizes,
                "polyq::Actor: the environment's observation_size or action_count differs from "
                "the network's; nn::Mlp<observation_size, hidden..., action_count>");
  static_assert(
      !sizes || FitsAgent<Environments, Agent>,
      "polyq::Actor: this is no Environment (it needs a name, a trivially copyable State, "
      "and const reset, step and observe), nor environments with reset, step and "
      "evaluation on this backend; see polyq/env/concept.hpp");
};

}  // namespace polyq
