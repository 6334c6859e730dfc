// SPDX-License-Identifier: MIT
// Actor: the state of acting. It owns what has the size N: the environments, the stage they share
// with the network, and the account of episodes; it pushes every row to the replay.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "polyq/core/arena.hpp"
#include "polyq/core/random.hpp"
#include "polyq/dqn/agreement.hpp"
#include "polyq/dqn/dqn.hpp"
#include "polyq/dqn/fault.hpp"
#include "polyq/dqn/stage.hpp"
#include "polyq/math/explore.hpp"
#include "polyq/math/modulo.hpp"

namespace polyq {

/// ε-greedy actions among the legal, ε from the clock; keeps the observation acted on and its mask
/// for the row to be stored.
template <class Agent, class Observations, class Outputs>
struct ChooseActions {
  using Rule = typename Agent::RuleType;
  static constexpr int words = math::mask_words(Agent::A);
  Observations observations, kept;
  const std::uint32_t* legal;  // null where every action is legal
  std::uint32_t* kept_legal;
  Outputs outputs;
  float* room;  // [A,N]
  std::int32_t* actions;
  Rule rule;
  math::Schedule exploration;
  std::uint64_t seed;
  std::uint32_t first_lane;
  const core::Clock* clock;

  struct Each {
    Observations observations, kept;
    const std::uint32_t* legal;
    std::uint32_t* kept_legal;
    Outputs outputs;
    float* room;
    std::int32_t* actions;
    Rule rule;
    std::uint64_t seed, step;
    std::uint32_t first_lane;
    float epsilon;

    POLYQ_HD void operator()(std::int64_t i) const {
      const int e = int(i);
      const core::Words draws =
          core::philox(seed, core::Stream::explore, step, first_lane + std::uint32_t(e));
      const float* values = rule.template values<Agent::A>(outputs.column(e), room + i * Agent::A);
      const std::uint32_t* mask = legal == nullptr ? nullptr : legal + i * words;
      const int any = int(core::below(draws.word[1], math::count_legal(mask, Agent::A)));
      actions[i] =
          math::epsilon_greedy(values, Agent::A, mask, epsilon, core::uniform(draws.word[0]),
                               math::nth_legal(mask, Agent::A, any));
      for (int o = 0; o < Agent::O; ++o) kept(o, e) = observations(o, e);
      if (mask != nullptr)
        for (int w = 0; w < words; ++w) kept_legal[i * words + w] = mask[w];
    }
  };
  POLYQ_HD Each prepare() const {
    return {
        observations, kept, legal, kept_legal,       outputs,    room,
        actions,      rule, seed,  clock->env_steps, first_lane, exploration.at(clock->env_steps)};
  }
};

/// An episode that ended at a row; length 0 where none did.
struct EpisodeEnd {
  double episode_return;  // raw rewards, undiscounted
  std::uint32_t length;
};

/// One environment's account.
struct Lane : Fault {
  double running_return;
  std::uint32_t running_length;
  float largest_reward;  // the largest |reward| so far, raw
};

/// Keeps lane e's account of the row that its step just made.
template <class Observations>
struct AccountStep {
  replay::Rows<Observations> rows;
  Lane* lanes;
  EpisodeEnd* log;     // [log_rows], by row number
  math::Modulo place;  // of a row in the log
  const core::Clock* clock;
  int actions = 0;  // that masks are of

  POLYQ_HD void operator()(std::int64_t e) const {
    const std::uint64_t row = clock->rows + std::uint64_t(e);
    Lane& lane = lanes[e];
    const float reward = rows.rewards[e], size = reward < 0 ? -reward : reward;
    lane.template look<Observations::rows>(row, reward, rows.observations.column(int(e)),
                                           rows.next.column(int(e)));
    if (rows.legal != nullptr) look_at_masks(lane, row, e);
    lane.largest_reward = size > lane.largest_reward ? size : lane.largest_reward;
    lane.running_return += reward;
    lane.running_length += 1;
    EpisodeEnd& end = log[place(row)];
    end = {0, 0};
    if (rows.terminated[e] || rows.truncated[e]) {
      end = {lane.running_return, lane.running_length};
      lane.running_return = 0;
      lane.running_length = 0;
    }
  }

 private:
  /// Of the state acted in and of the next one, unless nothing is chosen there.
  POLYQ_HD void look_at_masks(Lane& lane, std::uint64_t row, std::int64_t e) const {
    const int words = math::mask_words(actions);
    lane.look_at_legal(row, rows.legal + e * words, actions);
    if (!rows.terminated[e]) lane.look_at_legal(row, rows.legal_next + e * words, actions);
  }
};

/// Environments that do not fit: the sentence that says so.
template <class Agent, class Environments, bool Sound = FitsAgent<Environments, Agent>>
class Actor : RefuseEnvironments<Environments, Agent> {
 public:
  explicit Actor(Agent&, const Environments&, std::uint64_t = 0) {}
};

/// One shard's acting. Must die before its agent.
template <class Agent, class Environments>
class ActingShard {
 public:
  static constexpr int N = Environments::count;
  static constexpr bool masked = env::masked<Environments>();
  using Machine = typename Agent::Machine;
  using Observations = typename Agent::template Observations<N>;
  using Outputs = typename Agent::template Outputs<N>;

  ActingShard(Agent& agent, typename Agent::ShardType& shard, const Environments& environments,
              std::uint64_t log_rows)
      : agent_(&agent),
        shard_(&shard),
        log_rows_(std::max<std::uint64_t>(log_rows, N)),
        stage_(agent),
        arena_(agent.machine(), places.all.bytes(), "the actor"),
        log_(agent.machine().template allocate<EpisodeEnd>(log_rows_.n(), "the log of episodes")),
        environments_(agent.machine(), environments, agent.settings().seed, first_lane()) {
    agent.machine().zero(log_.get(), log_rows_.n() * sizeof(EpisodeEnd));
    shard.replay().attach(N, masked);
    shard.replay().cut(agent.machine(), agent.clock());
    environments_.reset(agent.machine(), agent.clock(), stage_.stepped());
  }

  void enqueue_choose() {
    stage_.forward(nn::Role::acting, agent_->online());  // Q(s) [A,N]
    agent_->machine().for_each(
        N, ChooseActions<Agent, Observations, Outputs>{
               stage_.observations(), kept(), stage_.legal(), kept_legal(), stage_.outputs(),
               stage_.room(), stage_.actions(), agent_->rule(), agent_->exploration(),
               agent_->settings().seed, first_lane(), agent_->clock()});
  }
  void step_environments() {
    if constexpr (!Environments::recordable) await_ranks(*agent_);  // its step waits
    environments_.step(agent_->machine(), agent_->clock(), stage_.actions(), stage_.stepped(),
                       AccountStep<Observations>{rows(), arena_[places.lanes], log_.get(),
                                                 log_rows_, agent_->clock(), Agent::A});
  }
  void enqueue_store() { shard_->replay().push(agent_->machine(), agent_->clock(), rows()); }

  /// This shard's first environment among those of all shards.
  std::uint32_t first_lane() const { return std::uint32_t(shard_->number() * N); }

  /// Copies the lanes' accounts to `lanes` [N]. Waits.
  void download_lanes(std::vector<Lane>& lanes) {
    lanes.resize(N);
    agent_->machine().download(lanes.data(), arena_[places.lanes], N);
  }
  /// Copies what ended at rows [first, last), at most log_rows of them, to `ends` [last - first].
  /// Waits.
  void download_episodes(std::uint64_t first, std::uint64_t last, std::vector<EpisodeEnd>& ends) {
    fetched_.resize(log_rows_.n());
    agent_->machine().download(fetched_.data(), log_.get(), log_rows_.n());
    ends.resize(last - first);
    for (std::uint64_t row = first; row < last; ++row) ends[row - first] = fetched_[log_rows_(row)];
  }

 private:
  struct Places {
    core::Layout all;
    core::Place<float> kept;  // the observations acted on, which a step overwrites, and their masks
    core::Place<std::uint32_t> kept_legal;
    core::Place<Lane> lanes;
    constexpr Places() {
      kept = all.place<float>(Agent::Storage::activation_size(Agent::O, N));
      kept_legal = all.place<std::uint32_t>(masked ? math::mask_words(Agent::A) * N : 0);
      lanes = all.place<Lane>(N);
    }
  };
  static constexpr Places places{};

  Observations kept() const { return {arena_[places.kept]}; }
  std::uint32_t* kept_legal() const { return masked ? arena_[places.kept_legal] : nullptr; }
  replay::Rows<Observations> rows() const {
    const auto made = stage_.stepped();
    return {kept(),          made.next,      stage_.actions(), made.rewards,
            made.terminated, made.truncated, kept_legal(),     made.legal_next};
  }

  Agent* agent_;
  typename Agent::ShardType* shard_;
  math::Modulo log_rows_;  // a row's place in the log
  Stage<Agent, N, masked> stage_;
  core::Arena<Machine> arena_;
  typename Machine::template Owned<EpisodeEnd> log_;
  typename Environments::template On<Machine> environments_;
  std::vector<EpisodeEnd> fetched_;
};

/// Must die before its agent. Enqueues everything, unless the environments wait in their step.
template <class Agent, class Environments>
class Actor<Agent, Environments, true> {
  using Shard = ActingShard<Agent, Environments>;

 public:
  static constexpr int N = Environments::count;  // of one shard

  /// `log_rows`: rows of each shard of which the ends of episodes are remembered. Throws
  /// SettingsError where one simulator would have to serve several shards.
  Actor(Agent& agent, const Environments& environments, std::uint64_t log_rows = 1'024)
      : agent_((check(agent.sharding()), &agent)), shards_(agent.sharding().hosted, [&](int i) {
          return Shard(agent, agent.shards()[i], environments, log_rows);
        }) {}

  /// One step of every environment, into the replays. Env steps advance by N a shard of the run.
  void enqueue_step() {
    enqueue_choose();
    step_environments();
    enqueue_store();
  }

  // The three parts of a step, for environments whose own step cannot be recorded.
  void enqueue_choose() {
    for (Shard& shard : shards_) shard.enqueue_choose();
  }
  void step_environments() {
    for (Shard& shard : shards_) shard.step_environments();
  }
  void enqueue_store() {
    for (Shard& shard : shards_) shard.enqueue_store();
    agent_->machine().for_each(1, core::Tick{agent_->clock(), N, 0, shard_count()});
  }

  auto& shards() { return shards_; }

 private:
  static void check(const Sharding& sharding) {
    require(Environments::recordable || sharding.hosted == 1, "shards that a rank hosts",
            sharding.hosted, "1 with a host environment, which serves one shard a rank");
  }
  std::uint64_t shard_count() const {
    return Agent::alone ? 1 : std::uint64_t(agent_->sharding().shards);
  }
  Agent* agent_;
  typename Agent::template OfShards<Shard> shards_;
};

template <class Agent, class Environments>
Actor(Agent&, const Environments&, std::uint64_t = 1'024) -> Actor<Agent, Environments>;

}  // namespace polyq
