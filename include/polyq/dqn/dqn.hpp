// SPDX-License-Identifier: MIT
// Dqn (Mnih et al. 2015): the state of learning and one update, written once for every backend,
// network, replay, optimizer, rule and communicator.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "polyq/core/arena.hpp"
#include "polyq/dqn/composition.hpp"
#include "polyq/dqn/rule.hpp"
#include "polyq/dqn/settings.hpp"
#include "polyq/dqn/sync_target.hpp"

namespace polyq {

/// A composition that the ladder refuses: its sentence, and an empty agent, so that the sentence
/// comes alone.
template <class Backend, class Network, class Replay, class Optimizer,
          class Rule = rule::QLearning<>, class Comm = comm::None,
          bool Sound = ComposesDqn<Backend, Network, Replay, Optimizer, Rule, Comm>>
class Dqn : RefuseComposition<Backend, Network, Replay, Optimizer, Rule, Comm> {
 public:
  explicit Dqn(const Backend&, const Network&, const Replay&, const Optimizer&, DqnSettings = {},
               const Rule& = {}, const Comm& = {}) {}
};

/// An agent that learns: the networks, the replay, the optimizer, and what an update needs between
/// them, in one arena. Acting is the Actor's. An agent belongs to the thread that made it.
template <class Backend, class Network, class Replay, class Optimizer, class Rule, class Comm>
class Dqn<Backend, Network, Replay, Optimizer, Rule, Comm, true> {
 public:
  using Machine = typename Backend::Machine;
  using Storage = typename Machine::Storage;
  using NetworkType = Network;
  using RuleType = Rule;
  using S = Shapes<Machine, Network, Replay::batch_size>;
  static constexpr int O = S::O, A = S::A, B = S::B;
  static constexpr std::size_t P = S::P;  // parameters, pads included
  template <int Columns>
  using Observations = typename S::template Observations<Columns>;  // [O, Columns]
  template <int Columns>
  using Outputs = typename S::template Outputs<Columns>;  // [A, Columns] for rules of values
  using Batch = replay::Batch<Observations<B>>;

  /// Throws SettingsError for a setting out of its range, DeviceError when memory is refused.
  explicit Dqn(Backend backend, Network network, Replay replay, Optimizer optimizer,
               DqnSettings settings = {}, Rule rule = {}, Comm comm = {})
      : settings_((settings.check(), rule.check(), settings)),
        rule_(rule),
        comm_(comm),
        machine_(backend),
        arena_(machine_, places.all.bytes(), "the agent's networks"),
        replay_(machine_, replay, {settings.discount, settings.seed, settings.reward}),
        optimizer_(optimizer, arena_[places.optimizer]),
        update_(machine_.record(Update{this})) {
    std::vector<float> packed(Network::parameter_count);
    network.initialise(settings.seed, 0, packed.data());
    set_parameters(packed);
  }
  Dqn(const Dqn&) = delete;  // the recording holds its address
  Dqn& operator=(const Dqn&) = delete;

  /// One update from rows in the replay, by the recording. Enqueues.
  void update() { update_(); }

  /// The body of `update`, for those who record a longer cycle: every line enqueues, none waits.
  void enqueue_update() {
    replay_.sample(machine_, clock(), batch());                               // s, a, R, γ, s′
    forward(nn::Role::target, target(), batch().next, next(), spare_tape());  // Q⁻(s′)  [A,B]
    if constexpr (Rule::reads_online_next)                                    // Q(s′)   [A,B]
      forward(nn::Role::selector, online(), batch().next, next_online(), spare_tape());
    forward(nn::Role::online, online(), batch().observations, now(), tape());  // Q(s)   [A,B]
    machine_.for_each(B, head());                   // dL/dQ / B [A,B], δ [B]
    backward();                                     // dL/dθ     [P]
    replay_.reprioritize(machine_, batch(), td());  // nothing unless weighted
    comm_.all_reduce_sum(machine_, gradient(), P);  // nothing for comm::None
    optimizer_.step(machine_, online(), gradient(), clock(), sync_target());  // θ, θ⁻  [P]
    machine_.for_each(1, core::Tick{clock(), 0, 1});
  }

  /// The network of `parameters` [P] for N columns, on a tape of the caller's. Enqueues.
  template <int N>
  void forward(nn::Role role, const float* parameters, Observations<N> x, Outputs<N> y,
               float* tape) {
    Network::forward(machine_, parameters, as_const(x), y, tape, pass(role));
  }

  /// `now` ← Q(s) of the last batch by the parameters as they are. Enqueues.
  void enqueue_values() {
    forward(nn::Role::online, online(), batch().observations, now(), tape());
  }

  /// The largest |reward| that the replay may hold, as it is learned from.
  float largest_reward() const { return settings_.reward(largest_reward_); }
  void meet_reward(float raw) { largest_reward_ = std::max(largest_reward_, raw); }

  Machine& machine() { return machine_; }
  auto& replay() { return replay_; }
  const Rule& rule() const { return rule_; }
  const DqnSettings& settings() const { return settings_; }

  // Backend memory, valid as long as the agent; of the last update where it is an update's.
  core::Clock* clock() { return arena_[places.clock]; }
  float* online() { return arena_[places.online]; }      // θ   [P]
  float* target() { return arena_[places.target]; }      // θ⁻  [P]
  float* gradient() { return arena_[places.gradient]; }  // dL/dθ [P]
  float* td() { return arena_[places.td]; }              // δ   [B]
  Outputs<B> now() { return {arena_[places.now]}; }      // the output at s [A,B]
  Batch batch() {
    return {{arena_[places.observations]},
            {arena_[places.next_observations]},
            arena_[places.actions],
            arena_[places.rewards],
            arena_[places.discounts],
            Replay::weighted ? arena_[places.weights] : nullptr,
            arena_[places.rows]};
  }

  /// Without pads, in PyTorch's order: of a span [P] in backend memory, or the online network's.
  /// Waits.
  std::vector<float> parameters(const float* span) {
    std::vector<float> padded(P), packed(Network::parameter_count);
    machine_.download(padded.data(), span, P);
    core::for_each_parameter(Network::template blocks<Storage>(),
                             [&](std::size_t i, std::size_t at) { packed[i] = padded[at]; });
    return packed;
  }
  std::vector<float> parameters() { return parameters(online()); }

  /// Sets both networks; throws SettingsError when the count is not the network's.
  void set_parameters(std::span<const float> packed) {
    require(packed.size() == Network::parameter_count, "number of parameters", packed.size(),
            shown(Network::parameter_count) + ", the network's");
    std::vector<float> padded(P);
    core::for_each_parameter(Network::template blocks<Storage>(),
                             [&](std::size_t i, std::size_t at) { padded[at] = packed[i]; });
    machine_.upload(online(), padded.data(), P);
    machine_.upload(target(), padded.data(), P);
  }

 private:
  struct Update {
    Dqn* agent;
    void operator()() const { agent->enqueue_update(); }
  };

  struct Places {
    core::Layout all;
    core::Place<float> online, target, gradient, optimizer, tape, scratch;
    core::Place<float> now, next, next_online, slope;  // network outputs, and dL/d(output)
    core::Place<float> observations, next_observations, rewards, discounts, weights, td;
    core::Place<std::int32_t> actions;
    core::Place<std::int64_t> rows;
    core::Place<core::Clock> clock;

    constexpr Places() {
      constexpr std::size_t inputs = Storage::activation_size(O, B);
      constexpr std::size_t outputs = Storage::activation_size(Network::out, B);
      constexpr std::size_t taped = Network::template tape_size<Storage, B>();
      online = all.place<float>(P);
      target = all.place<float>(P);
      gradient = all.place<float>(P);
      optimizer = all.place<float>(Optimizer::template On<Machine, S>::state_size);
      tape = all.place<float>(taped);
      scratch = all.place<float>(std::max(Network::template scratch_size<Storage, B>(), taped));
      now = all.place<float>(outputs);
      next = all.place<float>(outputs);
      next_online = all.place<float>(Rule::reads_online_next ? outputs : 0);
      slope = all.place<float>(outputs);
      observations = all.place<float>(inputs);
      next_observations = all.place<float>(inputs);
      rewards = all.place<float>(B);
      discounts = all.place<float>(B);
      weights = all.place<float>(Replay::weighted ? B : 0);
      td = all.place<float>(B);
      actions = all.place<std::int32_t>(B);
      rows = all.place<std::int64_t>(B);
      clock = all.place<core::Clock>(1);
    }
  };
  static constexpr Places places{};

  Outputs<B> next() { return {arena_[places.next]}; }
  Outputs<B> next_online() { return {arena_[places.next_online]}; }
  Outputs<B> slope() { return {arena_[places.slope]}; }
  float* tape() { return arena_[places.tape]; }
  float* spare_tape() { return arena_[places.scratch]; }  // of a forward that no backward follows
  nn::Pass pass(nn::Role role) { return {role, clock(), settings_.seed}; }
  SyncTarget sync_target() {
    return {target(), online(), clock(), settings_.target_period_updates, settings_.tau};
  }
  rule::Head<Rule, A, Replay::weighted, Outputs<B>, Batch> head() {
    return {rule_,   now(),   next(), next_online(),
            batch(), slope(), td(),   1.f / float(B * comm_.size())};
  }
  template <class M>
  static auto as_const(M m) {
    return core::Matrix<const float, M::rows, M::columns, M::stride>(m);
  }
  void backward() {
    Network::template backward<math::Identity>(
        machine_, online(), as_const(batch().observations), tape(), as_const(slope()), gradient(),
        core::Absent{}, arena_[places.scratch], pass(nn::Role::online));
  }

  DqnSettings settings_;
  float largest_reward_ = 0;
  Rule rule_;
  Comm comm_;
  Machine machine_;
  core::Arena<Machine> arena_;
  typename Replay::template On<Machine, S> replay_;
  typename Optimizer::template On<Machine, S> optimizer_;
  decltype(std::declval<Machine&>().record(std::declval<Update>())) update_;
};

template <class Backend, class Network, class Replay, class Optimizer,
          class Rule = rule::QLearning<>, class Comm = comm::None>
Dqn(Backend, Network, Replay, Optimizer, DqnSettings = {}, Rule = {}, Comm = {})
    -> Dqn<Backend, Network, Replay, Optimizer, Rule, Comm>;

}  // namespace polyq
