// SPDX-License-Identifier: MIT
// Evaluator: greedy returns of raw rewards on sets of evaluation seeds that never meet.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "polyq/core/arena.hpp"
#include "polyq/core/random.hpp"
#include "polyq/dqn/agreement.hpp"
#include "polyq/dqn/dqn.hpp"
#include "polyq/dqn/fault.hpp"
#include "polyq/dqn/stage.hpp"
#include "polyq/math/explore.hpp"
#include "polyq/train/observer.hpp"

namespace polyq {

/// What an evaluation is for: to choose the best agent, to decide to stop, to be reported. A score
/// that was used for a decision is biased by it and is never reported.
enum class SeedSet : std::uint64_t { select = 1, stop, report };

template <class Agent, class Outputs>
struct ChooseGreedy {
  typename Agent::RuleType rule;
  Outputs outputs;
  float* room;                 // [A,N]
  const std::uint32_t* legal;  // null where every action is legal
  std::int32_t* actions;
  POLYQ_HD void operator()(std::int64_t e) const {
    const float* values =
        rule.template values<Agent::A>(outputs.column(int(e)), room + e * Agent::A);
    constexpr int words = math::mask_words(Agent::A);
    actions[e] = math::argmax(values, Agent::A, legal == nullptr ? nullptr : legal + e * words);
  }
};

/// A greedy episode in a lane.
struct GreedyEpisode : Fault {
  double episode_return;
  std::uint8_t ended;
};

/// Looks at the observation with which lane e's first episode begins, and at its mask.
template <int A, class Observations>
struct LookAtStart {
  Observations observations;
  const std::uint32_t* legal;
  GreedyEpisode* episodes;
  POLYQ_HD void operator()(std::int64_t e) const {
    const float* start = observations.column(int(e));
    episodes[e].template look<Observations::rows>(0, 0, start, start);
    if (legal != nullptr) episodes[e].look_at_legal(0, legal + e * math::mask_words(A), A);
  }
};

/// Adds lane e's reward to its return until its first episode has ended.
template <int A, class Observations>
struct AccountGreedy {
  env::Stepped<Observations> made;
  GreedyEpisode* episodes;
  const core::Clock* clock;
  POLYQ_HD void operator()(std::int64_t e) const {
    GreedyEpisode& episode = episodes[e];
    if (episode.ended) return;
    episode.template look<Observations::rows>(clock->updates, made.rewards[e],
                                              made.next.column(int(e)),
                                              made.observations.column(int(e)));
    episode.episode_return += made.rewards[e];
    episode.ended = made.terminated[e] || made.truncated[e];
    if (made.legal != nullptr && !episode.ended)
      episode.look_at_legal(clock->updates, made.legal + e * math::mask_words(A), A);
  }
};

/// Must die before its agent. `Environments` are those of evaluation.
template <class Agent, class Environments>
class Evaluator {
 public:
  Evaluator(Agent& agent, const Environments& environments)
      : agent_(&agent),
        stage_(agent),
        arena_(agent.machine(), places.all.bytes(), "the evaluation"),
        environments_(agent.machine(), environments, seed(agent.settings().seed)),
        step_(agent.machine().record(Step{this})),
        episodes_(N) {}

  /// The score of `parameters` [P] on the first `episodes` seeds of a set; the same seeds at every
  /// call. The ranks share the episodes; the score is the same on all. Waits. Throws
  /// EnvironmentError when an episode does not end or a number in it is not finite, on the rank
  /// that met it; CommError.
  Score score(SeedSet set, int episodes, const float* parameters) {
    auto& machine = agent_->machine();
    machine.for_each_element(Agent::P, backend::CopyElement{arena_[places.parameters], parameters});
    std::vector<double> returns(episodes, 0.);
    for (int done = agent_->comm().rank() * N; done < episodes; done += agent_->comm().size() * N) {
      run_wave(std::uint64_t(set) << 56 | std::uint64_t(done) * episode_step_limit);
      for (int e = 0; e < N && done + e < episodes; ++e)
        returns[done + e] = episodes_[e].episode_return;
    }
    share(agent_->comm(), returns, [&](std::size_t i) {
      return int(i) / N % agent_->comm().size() == agent_->comm().rank();
    });
    double sum = 0, squares = 0;
    for (const double episode_return : returns) {
      sum += episode_return;
      squares += episode_return * episode_return;
    }
    const double mean = sum / episodes;
    const double variance = episodes > 1 ? (squares - sum * mean) / (episodes - 1) : 0;
    return {mean, std::sqrt(std::max(0., variance)), episodes};
  }

 private:
  static constexpr int N = Environments::count;
  static constexpr std::uint64_t episode_step_limit = 1'000'000;
  static constexpr std::uint64_t steps_between_looks = 25;
  using Machine = typename Agent::Machine;
  using Observations = typename Agent::template Observations<N>;
  using Outputs = typename Agent::template Outputs<N>;

  struct Step {
    Evaluator* evaluator;
    void operator()() const { evaluator->enqueue_step(); }
  };

  struct Places {
    core::Layout all;
    core::Place<float> parameters;
    core::Place<GreedyEpisode> episodes;
    core::Place<core::Clock> clock;

    constexpr Places() {
      parameters = all.place<float>(Agent::P);
      episodes = all.place<GreedyEpisode>(N);
      clock = all.place<core::Clock>(1);
    }
  };
  static constexpr Places places{};

  static std::uint64_t seed(std::uint64_t seed) {
    const core::Words words = core::philox(seed, core::Stream::evaluation, 0, 0);
    return std::uint64_t{words.word[1]} << 32 | words.word[0];
  }

  /// One greedy episode in every lane; draws are numbered from `first_env_step`.
  void run_wave(std::uint64_t first_env_step) {
    auto& machine = agent_->machine();
    const core::Clock start{.env_steps = first_env_step};
    machine.upload(arena_[places.clock], &start, 1);
    machine.zero(arena_[places.episodes], N * sizeof(GreedyEpisode));
    environments_.reset(machine, arena_[places.clock], stage_.stepped());
    machine.for_each(N, LookAtStart<Agent::A, Observations>{stage_.observations(), stage_.legal(),
                                                            arena_[places.episodes]});
    std::uint64_t steps = 0;
    do {
      if (steps >= episode_step_limit)
        throw EnvironmentError("polyq: environment " + std::string(Environments::Source::name) +
                               ": a greedy episode did not end within " +
                               shown(episode_step_limit) + " steps; let it truncate");
      for (std::uint64_t i = 0; i < steps_between_looks; ++i, ++steps) {
        if constexpr (Environments::recordable) {
          step_();
        } else {
          enqueue_step();
        }
      }
      machine.download(episodes_.data(), arena_[places.episodes], N);
      for (int e = 0; e < N; ++e) episodes_[e].refuse(Environments::Source::name, e);
    } while (!std::all_of(episodes_.begin(), episodes_.end(),
                          [](const GreedyEpisode& episode) { return episode.ended; }));
  }

  void enqueue_step() {
    auto& machine = agent_->machine();
    core::Clock* clock = arena_[places.clock];
    stage_.forward(nn::Role::evaluation, arena_[places.parameters]);
    machine.for_each(N,
                     ChooseGreedy<Agent, Outputs>{agent_->rule(), stage_.outputs(), stage_.room(),
                                                  stage_.legal(), stage_.actions()});
    environments_.step(
        machine, clock, stage_.actions(), stage_.stepped(),
        AccountGreedy<Agent::A, Observations>{stage_.stepped(), arena_[places.episodes], clock});
    machine.for_each(1, core::Tick{clock, N, 1});  // `updates` counts the steps of an episode
  }

  Agent* agent_;
  Stage<Agent, N, env::masked<Environments>()> stage_;
  core::Arena<Machine> arena_;
  typename Environments::template On<Machine> environments_;
  decltype(std::declval<Machine&>().record(std::declval<Step>())) step_;
  std::vector<GreedyEpisode> episodes_;
};

}  // namespace polyq
