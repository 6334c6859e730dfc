// SPDX-License-Identifier: MIT
// run: what every trainer does with its composition: read the command line, train, report.
#pragma once
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <limits>
#include <optional>
#include <polyq/comm/concept.hpp>
#include <polyq/dqn/agreement.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/train/progress.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <utility>

#include "evaluation_log.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace trainer {

/// What one machine's trainer is made of; everything else comes from the command line. Rules:
/// with_rule(options, use) calls use(rule) and returns what it returns.
template <class Backend, class Ranks, class Network, class Replay, class Environments, class Rules>
struct Composition {
  const char* backend_name;
  Backend (*backend_on)(const Device&);
  Ranks with_ranks;  // (options, use): calls use(options, communicator) and returns what it returns
  Network network;
  Replay replay;
  Environments environments;
  Rules rules;
};
template <class Backend, class Ranks, class Network, class Replay, class Environments, class Rules>
Composition(const char*, Backend (*)(const Device&), Ranks, Network, Replay, Environments, Rules)
    -> Composition<Backend, Ranks, Network, Replay, Environments, Rules>;

/// One rank, and no other.
struct Alone {
  template <class Use>
  int operator()(const Options& options, Use use) const {
    if (options.launch.size > 1)
      throw UsageError(text(options.launch) + ", but this trainer is one rank alone");
    return use(options, polyq::comm::None{});
  }
};

/// The run's observer: shows progress, keeps what a failed run leaves, ends an interrupted one.
class Watcher {
 public:
  /// `first`: of all ranks, which alone logs.
  Watcher(const Options& options, bool first) : begin_(Clock::now()) {
    if (!options.quiet) progress_.emplace(stderr, isatty(STDERR_FILENO) != 0);
    if (first && !options.evaluation_log.empty()) log_.emplace(options.evaluation_log);
    seen_.training_return = seen_.best.mean = seen_.last.mean =
        std::numeric_limits<double>::quiet_NaN();
  }
  bool on_chunk(const polyq::Chunk& chunk) {
    if (progress_) progress_->on_chunk(chunk);
    seen_.episodes += chunk.episodes.size();
    seen_.training_return = chunk.training_return;
    if (!(chunk.largest_value <= seen_.largest_value)) seen_.largest_value = chunk.largest_value;
    seen_.value_bound = chunk.value_bound;
    return !interrupted();
  }
  void on_evaluation(const polyq::Evaluation& evaluation) {
    if (log_) log_->add(evaluation);
  }
  /// Ends the progress bar, so that what follows begins a line of its own.
  void finish() { progress_.reset(); }

  /// What is known of a run that ended at `now` without a result.
  polyq::TrainResult seen_until(const polyq::core::Clock& now) const {
    polyq::TrainResult result = seen_;
    result.env_steps = now.env_steps;
    result.updates = now.updates;
    result.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_;
  std::optional<polyq::Progress> progress_;
  std::optional<EvaluationLog> log_;
  polyq::TrainResult seen_;
};

inline Ending ending_of(const polyq::TrainResult& result) {
  switch (result.ending) {
    case polyq::Ending::goal:
      return Ending::goal;
    case polyq::Ending::observer:
      return Ending::interrupted;
    default:
      return Ending::budget;
  }
}

template <class Agent>
Facts facts_of(Agent& agent, Ending ending, polyq::TrainResult result) {
  return {ending, std::move(result), polyq::hash_of_parameters(agent), agent.comm().size(),
          agent.sharding().shards};
}

/// Of a run that threw `error` on all ranks, which the first tells.
template <class Agent>
Facts failed(Agent& agent, Ending ending, Watcher& watcher, const std::exception& error) {
  watcher.finish();
  if (agent.comm().rank() == 0) std::fprintf(stderr, "error: %s\n", error.what());
  polyq::core::Clock now;
  agent.machine().download(&now, agent.clock(), 1);
  return facts_of(agent, ending, watcher.seen_until(now));
}

template <class Agent, class Environments>
Facts trained(Agent& agent, const Environments& environments, const polyq::TrainSettings& settings,
              const Options& options) {
  Watcher watcher(options, agent.comm().rank() == 0);
  try {
    polyq::TrainResult result = polyq::train(agent, environments, settings, watcher);
    watcher.finish();
    const Ending ending = ending_of(result);
    return facts_of(agent, ending, std::move(result));
  } catch (const polyq::DivergenceError& error) {
    return failed(agent, Ending::diverged, watcher, error);
  } catch (const polyq::EnvironmentError& error) {
    return failed(agent, Ending::environment_error, watcher, error);
  }
}

inline void note_target_period(const Options& options, const polyq::DqnSettings& settings) {
  if (options.quiet) return;
  std::fprintf(
      stderr,
      "updates between two target copies: %s (--target-network-frequency %s / "
      "--train-frequency %s * --gradient-steps %s)\n",
      polyq::shown(settings.target_period_updates).c_str(),
      polyq::shown(options.target_network_frequency.value_or(options.train_frequency)).c_str(),
      polyq::shown(options.train_frequency).c_str(), polyq::shown(options.gradient_steps).c_str());
}

/// A run too short to learn in is allowed, and said.
inline void note_no_updates(const Options& options, const polyq::TrainSettings& settings) {
  if (options.quiet || settings.updates_due(settings.env_steps) > 0) return;
  std::fprintf(stderr,
               "no update falls due: --total-timesteps %s ends before the first, at env step "
               "--learning-starts %s + --train-frequency %s + 1\n",
               polyq::shown(options.total_timesteps).c_str(),
               polyq::shown(options.learning_starts).c_str(),
               polyq::shown(options.train_frequency).c_str());
}

/// Who trains together, and on how much.
template <class Agent>
void note_ranks(const Options& options, const Agent& agent) {
  const polyq::Sharding& sharding = agent.sharding();
  if (options.quiet || sharding.shards == 1) return;
  const std::string ranks = options.launch.size > 1
                                ? text(options.launch)
                                : polyq::shown(agent.comm().size()) + " ranks in one process";
  std::fprintf(stderr, "%s; an update learns from %d shards of %d transitions\n", ranks.c_str(),
               sharding.shards, Compiled::batch_size);
}

/// Calls `use` with the optimizer that the options name.
template <class Use>
int with_optimizer(const Options& options, Use use) {
  if (options.max_grad_norm == 0) return use(adam(options));
  return use(polyq::optim::Clipped{adam(options), options.max_grad_norm});
}

/// Optimizer and rule are types: each choice is an agent of its own, compiled in. Only the first
/// rank speaks.
template <class Parts, class Comm>
int run_composed(Options options, Parts parts, const Comm& ranks) {
  options.quiet |= ranks.rank() > 0;
  const polyq::TrainSettings training = train_settings(options);  // first: refuses divisors of 0
  const polyq::DqnSettings settings = dqn_settings(options);
  set_replay(options, parts.replay);
  return parts.rules.with_rule(options, [&](auto rule) {
    return with_optimizer(options, [&](auto optimizer) {
      polyq::Dqn agent{parts.backend_on(options.device),
                       parts.network,
                       parts.replay,
                       optimizer,
                       settings,
                       rule,
                       ranks};
      note_ranks(options, agent);
      note_target_period(options, settings);
      note_no_updates(options, training);
      listen_for_interrupts();
      const Facts facts = trained(agent, parts.environments, training, options);
      return ranks.rank() == 0 ? report(options, parts.backend_name, facts) : exit_code(facts);
    });
  });
}

/// sysexits.h's EX_TEMPFAIL: start me again.
constexpr int exit_start_again = 75;

/// A trainer's main; returns its exit code.
template <class Parts>
int run(int argc, const char* const* argv, const Made& made, const Parts& parts) {
  Options options;
  try {
    options = parse(argc, argv, made);
    return parts.with_ranks(options, [&](const Options& of_rank, const auto& ranks) {
      return run_composed(of_rank, parts, ranks);
    });
  } catch (const Answer& answer) {
    std::fputs(answer.text.c_str(), stdout);
    return 0;
  } catch (const polyq::SettingsError& error) {
    std::fprintf(stderr, "error: %s\n", naming_flag(options, error).c_str());
  } catch (const polyq::CommError& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    if (error.kind == polyq::CommError::Kind::lost) return exit_start_again;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return 2;
}

}  // namespace trainer
