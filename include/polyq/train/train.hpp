// SPDX-License-Identifier: MIT
// train: acts, updates when due, evaluates, keeps the best agent and stops when the goal is met.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "polyq/env/vectorized.hpp"
#include "polyq/train/evaluate.hpp"
#include "polyq/train/observer.hpp"
#include "polyq/train/settings.hpp"
#include "polyq/train/steps.hpp"
#include "polyq/train/watch.hpp"

namespace polyq {

/// Why a run ended.
enum class Ending { budget, goal, observer };

struct TrainResult {
  Ending ending = Ending::budget;
  bool solved = false;  // the best agent reached the goal on the report seeds
  std::uint64_t env_steps = 0, updates = 0, episodes = 0;  // of this run
  double seconds = 0;          // of the run, its evaluations included, without the final report
  double training_return = 0;  // mean of the last 100 training episodes; NaN if none ended
  float largest_value = 0;     // |Q| seen at a chunk's end
  float value_bound = 0;       // r_max / (1 − γ), what it should not exceed by far
  Score best, last;            // on the report seeds, evaluated once, at the end
  std::uint64_t best_env_steps = 0;    // when the best agent was met
  std::vector<float> best_parameters;  // PyTorch's order, for Dqn::set_parameters
};

namespace detail {

/// The parameters that did best on the select seeds, kept in backend memory.
template <class Agent>
class BestAgent {
 public:
  explicit BestAgent(Agent& agent)
      : agent_(&agent),
        memory_(agent.machine().template allocate<float>(Agent::P, "the best agent")) {}

  void keep(double mean, std::uint64_t env_steps) {
    agent_->machine().for_each_element(Agent::P,
                                       backend::CopyElement{memory_.get(), agent_->online()});
    mean_ = mean;
    env_steps_ = env_steps;
  }
  bool is_beaten_by(double mean) const { return !mean_ || mean > *mean_; }
  const float* parameters() const { return memory_.get(); }
  std::uint64_t env_steps() const { return env_steps_; }

 private:
  Agent* agent_;
  typename Agent::Machine::template Owned<float> memory_;
  std::optional<double> mean_;
  std::uint64_t env_steps_ = 0;
};

/// One run: its parts and where it stands.
template <class Agent, class Environments>
class Run {
  using Clock = std::chrono::steady_clock;
  using GreedyEnvironments = decltype(std::declval<const Environments&>().evaluation());

 public:
  Run(Agent& agent, const Environments& environments, const TrainSettings& settings)
      : agent_(agent),
        shards_(std::uint64_t(agent.sharding().shards)),
        lanes_(Environments::count * shards_),
        settings_((settings.check(lanes_), settings)),
        chunk_(std::clamp(settings.chunk_env_steps / lanes_ * lanes_, lanes_, settings.env_steps)),
        steps_(agent, environments, chunk_ / shards_),
        watch_(agent, steps_.actor(), Environments::Source::name),
        evaluator_(agent, environments.evaluation()),
        best_(agent),
        goal_(settings.goal ? settings.goal : env::goal_of<typename Environments::Source>()) {
    if (goal_) check(*goal_);
    const std::uint64_t least = std::uint64_t(agent.replay().rows_needed() - 1) * shards_;
    require(settings.warm_up_env_steps >= least, "TrainSettings.warm_up_env_steps",
            settings.warm_up_env_steps,
            ">= " + shown(least) + ", the rows that the replay's transitions span");
    core::Fingerprint fingerprint = agent.fingerprint();
    agent.comm().introduce(fingerprint.add(settings_, environments).value());
    agent.comm().barrier();  // refuses other settings before anything depends on them
    core::Clock now;
    agent.machine().download(&now, agent.clock(), 1);
    first_row_ = now.rows;
  }

  template <class... Observers>
  TrainResult operator()(Observers&... observers) {
    const auto begin = Clock::now();
    while (result_.ending == Ending::budget && result_.env_steps < settings_.env_steps) {
      Chunk chunk = telling_the_others([&] { return run_chunk(); });
      chunk.seconds = seconds_since(begin);
      watch_.refuse_faults();
      Ballot ballot;
      [[maybe_unused]] const auto show = [&](auto& observer) {
        if (!lets_go_on(observer, chunk)) ballot.stop = true;
      };
      telling_the_others([&] { (show(observers), ...); });
      if (agree(agent_, ballot).stop) result_.ending = Ending::observer;
      telling_the_others([&] { refuse_replay_faults(); });
      refuse_divergence(chunk);
      if (result_.ending == Ending::budget && evaluation_due() && telling_the_others([&] {
            const Evaluation evaluation = evaluate();
            (tell(observers, evaluation), ...);
            return goal_met(evaluation.score.mean);
          }))
        result_.ending = Ending::goal;
    }
    result_.seconds = seconds_since(begin);
    telling_the_others([&] { report(); });
    return std::move(result_);
  }

 private:
  static double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  /// f(); where it throws, the other ranks are told, that none waits for this one.
  template <class F>
  auto telling_the_others(F f) {
    try {
      return f();
    } catch (const std::exception& error) {
      agent_.comm().abort(error.what());
      throw;
    } catch (...) {
      agent_.comm().abort("an exception of a type of its own");
      throw;
    }
  }
  /// Up to the next multiple of the chunk, of the evaluation period, or the end.
  std::uint64_t chunk_end() const {
    const std::uint64_t done = result_.env_steps, period = settings_.evaluation_period_env_steps;
    std::uint64_t end = std::min(settings_.env_steps, (done / chunk_ + 1) * chunk_);
    if (period > 0) end = std::min(end, (done / period + 1) * period);
    return end;
  }
  Chunk run_chunk() {
    const std::uint64_t begin = result_.env_steps, end = chunk_end();
    while (result_.env_steps < end) {
      result_.env_steps += lanes_;
      const std::uint64_t due = settings_.updates_due(result_.env_steps);
      if (result_.updates < due) {
        steps_.act_and_update();
        ++result_.updates;
      } else {
        steps_.act();
      }
      for (; result_.updates < due; ++result_.updates) agent_.update();
    }
    agent_.comm().synchronize(agent_.machine());
    Chunk chunk =
        watch_.look(first_row_ + begin / shards_, first_row_ + end / shards_, result_.updates > 0);
    chunk.env_steps = result_.env_steps;
    chunk.total_env_steps = settings_.env_steps;
    chunk.updates = result_.updates;
    result_.largest_value = std::max(result_.largest_value, chunk.largest_value);
    result_.value_bound = chunk.value_bound;
    return chunk;
  }

  void refuse_replay_faults() {
    for (auto& shard : agent_.shards())
      if constexpr (requires { shard.replay().refuse_faults(agent_.machine()); })
        shard.replay().refuse_faults(agent_.machine());
  }

  bool evaluation_due() const {
    const std::uint64_t period = settings_.evaluation_period_env_steps;
    return period > 0 && result_.updates > 0 && result_.env_steps % period == 0;
  }
  /// Evaluates and keeps the best agent.
  Evaluation evaluate() {
    const Score score =
        evaluator_.score(SeedSet::select, settings_.select_episodes, agent_.online());
    if (best_.is_beaten_by(score.mean)) best_.keep(score.mean, result_.env_steps);
    return {result_.env_steps, score};
  }
  /// Whether the agent that was just evaluated may stop the run; if so, it is the best one, though
  /// another may have had the better few episodes.
  bool goal_met(double selected) {
    if (!settings_.early_stop || !goal_ || !(selected >= goal_->solved)) return false;
    const double stopping =
        evaluator_.score(SeedSet::stop, settings_.stop_episodes, agent_.online()).mean;
    if (!(stopping >= goal_->stop)) return false;
    best_.keep(selected, result_.env_steps);
    return true;
  }
  void report() {
    const int episodes = settings_.report_episodes;
    if (best_.is_beaten_by(-std::numeric_limits<double>::infinity()))
      best_.keep(0, result_.env_steps);  // none was evaluated: the last is the best
    result_.last = evaluator_.score(SeedSet::report, episodes, agent_.online());
    result_.best = best_.env_steps() == result_.env_steps
                       ? result_.last
                       : evaluator_.score(SeedSet::report, episodes, best_.parameters());
    result_.best_env_steps = best_.env_steps();
    result_.best_parameters = agent_.parameters(best_.parameters());
    result_.solved = goal_ && result_.best.mean >= goal_->solved;
    result_.episodes = watch_.episodes();
    result_.training_return = watch_.training_return();
  }

  Agent& agent_;
  std::uint64_t shards_, lanes_;  // of all ranks
  TrainSettings settings_;
  std::uint64_t chunk_;
  Steps<Agent, Environments> steps_;
  Watch<Agent, Actor<Agent, Environments>> watch_;
  Evaluator<Agent, GreedyEnvironments> evaluator_;
  BestAgent<Agent> best_;
  std::optional<env::Goal> goal_;
  std::uint64_t first_row_ = 0;
  TrainResult result_;
};

}  // namespace detail

/// Trains `agent` in environments that step together: Vectorized, or Host around a simulator. A
/// second call goes on with the agent as it is, in new episodes, after a warm-up of its own.
/// The agent keeps its last parameters; the best are in the result. Waits at each chunk's end.
/// Throws SettingsError, EnvironmentError, DivergenceError, CommError.
template <class Agent, class Environments, Observer... Observers>
TrainResult train(Agent& agent, const Environments& environments,
                  const TrainSettings& settings = {}, Observers&&... observers) {
  if constexpr (env::Environment<Environments>) {
    return train(agent, env::Vectorized<Environments, 1>{environments}, settings, observers...);
  } else if constexpr (FitsAgent<Environments, Agent>) {
    detail::Run<Agent, Environments> run(agent, environments, settings);
    return run(observers...);
  } else {
    Actor refused(agent, environments);
    return {};
  }
}

}  // namespace polyq
