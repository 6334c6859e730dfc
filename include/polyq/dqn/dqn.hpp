// SPDX-License-Identifier: MIT
// Dqn (Mnih et al. 2015): the state of learning and one update, written once for every backend,
// network, replay, optimizer, rule and communicator.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "polyq/core/arena.hpp"
#include "polyq/core/fingerprint.hpp"
#include "polyq/dqn/agreement.hpp"
#include "polyq/dqn/composition.hpp"
#include "polyq/dqn/hosted.hpp"
#include "polyq/dqn/rule.hpp"
#include "polyq/dqn/settings.hpp"
#include "polyq/dqn/shard.hpp"
#include "polyq/dqn/sharding.hpp"
#include "polyq/dqn/sum_shards.hpp"
#include "polyq/dqn/sync_target.hpp"

namespace polyq {

/// A composition that the ladder refuses; the agent is empty, so that its sentence comes alone.
template <class Backend, class Network, class Replay, class Optimizer,
          class Rule = rule::QLearning<>, class Comm = comm::None,
          bool Sound = ComposesDqn<Backend, Network, Replay, Optimizer, Rule, Comm>>
class Dqn : RefuseComposition<Backend, Network, Replay, Optimizer, Rule, Comm> {
 public:
  explicit Dqn(const Backend&, const Network&, const Replay&, const Optimizer&, DqnSettings = {},
               const Rule& = {}, const Comm& = {}) {}
};

/// An agent that learns: the networks, the optimizer and the shards that this rank hosts. Acting is
/// the Actor's. An agent belongs to the thread that made it. Where there are more ranks, each makes
/// the same agent and calls the same of it in the same order; a rank that does not, or is lost,
/// ends as CommError on all, and the agent is of no more use.
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
  using ShardType = Shard<Machine, S, Network, Replay, Rule>;
  using Batch = typename ShardType::Batch;
  static constexpr bool alone = std::is_same_v<Comm, comm::None>;
  template <class T>
  using OfShards = Hosted<T, alone>;  // one T for each shard that this rank hosts

  /// Throws SettingsError for a setting out of its range, DeviceError when memory is refused,
  /// CommError when another rank starts otherwise. Waits for the other ranks.
  explicit Dqn(Backend backend, Network network, Replay replay, Optimizer optimizer,
               DqnSettings settings = {}, Rule rule = {}, Comm comm = {})
      : settings_((settings.check(), rule.check(), settings)),
        sharding_(sharding_of(settings, comm.rank(), comm.size(), alone)),
        rule_(rule),
        comm_(comm),
        machine_(backend),
        arena_(machine_, places.all.bytes(), "the agent's networks"),
        shards_(sharding_.hosted,
                [&](int i) {
                  return ShardType(machine_, replay,
                                   {settings.discount, settings.seed, settings.reward,
                                    sharding_.first + i, sharding_.shards});
                }),
        partials_(machine_.template allocate<float>(gathers() ? P * std::size_t(comm.size()) : 0,
                                                    "the ranks' gradients")),
        optimizer_(optimizer, arena_[places.optimizer]),
        update_(machine_.record(Update{this})) {
    fingerprint_.add(core::type_text<Dqn>(), settings, replay, optimizer, rule);
    comm_.introduce(fingerprint_.value());
    std::vector<float> packed(Network::parameter_count);
    network.initialise(settings.seed, 0, packed.data());
    set_parameters(packed);
    if constexpr (!alone) require_equal_start(*this);
  }
  Dqn(const Dqn&) = delete;  // the recording holds its address
  Dqn& operator=(const Dqn&) = delete;

  /// One update, by the recording, from rows in the replay, rows_needed() of them at least.
  /// Enqueues. Throws CommError.
  void update() {
    comm_.check();
    update_();
  }

  /// The body of `update`, for those who record a longer cycle, and call comm().check() before each
  /// run of it: every line enqueues, none waits.
  void enqueue_update() {
    for (ShardType& shard : shards_) {
      const Batch batch = shard.batch();
      shard.replay().sample(machine_, clock(), batch);  // s, a, R, γ, s′
      forward(nn::Role::target, target(), batch.next, shard.next(), shard.tape());  // Q⁻(s′) [A,B]
      if constexpr (Rule::reads_online_next)  // Q(s′)  [A,B]
        forward(nn::Role::selector, online(), batch.next, shard.next_online(), shard.tape());
      if constexpr (rule::reads_target_now<Rule>())  // Q⁻(s)  [A,B]
        forward(nn::Role::target, target(), batch.observations, shard.now_target(), shard.tape());
      forward(nn::Role::online, online(), batch.observations, shard.now(), shard.tape());  // Q(s)
      rule::enqueue_head(machine_, B, shard.head(rule_, scale()));  // dL/dQ / (B·V) [A,B], δ [B]
      backward(shard);                                              // dL/dθ     [P]
      shard.replay().reprioritize(machine_, batch, shard.td());     // nothing unless weighted
    }
    combine();
    optimizer_.step(machine_, online(), gradient(), clock(), sync_target());  // θ, θ⁻  [P]
    machine_.for_each(1, core::Tick{clock(), 0, 1});
  }

  /// The network of `parameters` [P] for N columns, on a tape of the caller's. Enqueues.
  template <int N>
  void forward(nn::Role role, const float* parameters, Observations<N> x, Outputs<N> y,
               float* tape) {
    Network::forward(machine_, parameters, core::as_const(x), y, tape, pass(role));
  }

  /// The shard's `now` ← Q(s) of its last batch by the parameters as they are. Enqueues.
  void enqueue_values(ShardType& shard) {
    forward(nn::Role::online, online(), shard.batch().observations, shard.now(), shard.tape());
  }

  /// The largest |reward| that the replay may hold, as it is learned from.
  float largest_reward() const { return settings_.reward(largest_reward_); }
  void meet_reward(float raw) { largest_reward_ = std::max(largest_reward_, raw); }

  Machine& machine() { return machine_; }
  const Comm& comm() const { return comm_; }
  const Rule& rule() const { return rule_; }
  const DqnSettings& settings() const { return settings_; }
  math::Schedule exploration() const {  // ε
    return settings_.exploration.value_or(nn::explores<Network>() ? 0.f : default_exploration);
  }
  const Sharding& sharding() const { return sharding_; }
  const core::Fingerprint& fingerprint() const { return fingerprint_; }
  OfShards<ShardType>& shards() { return shards_; }
  // Of the first hosted shard.
  auto& replay() { return shards_[0].replay(); }
  Batch batch() { return shards_[0].batch(); }
  float* td() { return shards_[0].td(); }        // δ   [B]
  Outputs<B> now() { return shards_[0].now(); }  // the output at s [A,B]

  // Backend memory, valid as long as the agent; of the last update where it is an update's.
  core::Clock* clock() { return arena_[places.clock]; }
  float* online() { return arena_[places.online]; }    // θ   [P]
  float* target() { return arena_[places.target]; }    // θ⁻  [P]
  float* gradient() { return shards_[0].gradient(); }  // dL/dθ over all shards [P]

  /// Without pads, in PyTorch's order: of a span [P] in backend memory, or the online network's.
  /// Waits.
  std::vector<float> parameters(const float* span) {
    std::vector<float> padded(P), packed(Network::parameter_count);
    await_ranks(*this);
    machine_.download(padded.data(), span, P);
    core::for_each_parameter(Network::template blocks<Storage>(),
                             [&](std::size_t i, std::size_t at) { packed[i] = padded[at]; });
    return packed;
  }
  std::vector<float> parameters() { return parameters(online()); }

  /// Sets both networks, on this rank; throws SettingsError when the count is not the network's.
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
    core::Place<float> online, target, optimizer, scratch;
    core::Place<core::Clock> clock;

    constexpr Places() {
      online = all.place<float>(P);
      target = all.place<float>(P);
      optimizer = all.place<float>(Optimizer::template On<Machine, S>::state_size);
      scratch = all.place<float>(Network::template scratch_size<Storage, B>());
      clock = all.place<core::Clock>(1);
    }
  };
  static constexpr Places places{};

  /// gradient ← Σ over all shards, on every rank; nothing for comm::None.
  void combine() {
    if constexpr (!alone) {
      sum_shards(machine_, sharding_.hosted, P, [&](int i) { return shards_[i].gradient(); });
      if (gathers())
        sum_ranks(machine_, comm_, P, gradient(), partials_.get());
      else
        comm_.all_reduce_sum(machine_, gradient(), P);
    }
  }
  /// Whether the tree over shards ends in the ranks' partial sums.
  bool gathers() const {
    return settings_.reduction == Reduction::reproducible && comm_.size() > 1;
  }

  nn::Pass pass(nn::Role role, bool again = false) {
    return {role, clock(), settings_.seed, again};
  }
  SyncTarget sync_target() {
    return {target(), online(), clock(), settings_.target_period_updates, settings_.tau};
  }
  float scale() const { return 1.f / float(alone ? B : B * sharding_.shards); }
  void backward(ShardType& shard) {
    Network::template backward<math::Identity>(
        machine_, online(), core::as_const(shard.batch().observations), shard.tape(),
        core::as_const(shard.slope()), shard.gradient(), core::Absent{}, arena_[places.scratch],
        pass(nn::Role::online, !alone && &shard != shards_.begin()));
  }

  DqnSettings settings_;
  Sharding sharding_;
  core::Fingerprint fingerprint_;
  float largest_reward_ = 0;
  Rule rule_;
  Comm comm_;
  Machine machine_;
  core::Arena<Machine> arena_;
  OfShards<ShardType> shards_;
  typename Machine::template Owned<float> partials_;
  typename Optimizer::template On<Machine, S> optimizer_;
  decltype(std::declval<Machine&>().record(std::declval<Update>())) update_;
};

template <class Backend, class Network, class Replay, class Optimizer,
          class Rule = rule::QLearning<>, class Comm = comm::None>
Dqn(Backend, Network, Replay, Optimizer, DqnSettings = {}, Rule = {}, Comm = {})
    -> Dqn<Backend, Network, Replay, Optimizer, Rule, Comm>;

}  // namespace polyq
