// SPDX-License-Identifier: MIT
// Host: N lanes of a simulator that is not a pure function, stepped on the host over spans. On a
// GPU each step waits twice; on a CPU it copies.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polyq/core/error.hpp"
#include "polyq/env/concept.hpp"

namespace polyq::env {

/// - step(actions [N], next [O,N], outcomes [N]) writes the observation before any reset.
/// - reset(ended [N], seeds [N], observations [O,N]) restarts only the lanes with ended != 0 and
///   writes only their columns.
/// Column e of an [O,N] span begins at e·O. A simulator may also have `static constexpr Goal goal`.
template <class S>
concept HostEnvironment = requires(S& simulator, std::span<const std::int32_t> actions,
                                   std::span<float> observations, std::span<Outcome> outcomes,
                                   std::span<const std::uint8_t> ended,
                                   std::span<const std::uint64_t> seeds) {
  { S::name } -> std::convertible_to<const char*>;
  { S::count } -> std::convertible_to<int>;
  { S::observation_size } -> std::convertible_to<int>;
  { S::action_count } -> std::convertible_to<int>;
  simulator.step(actions, observations, outcomes);
  simulator.reset(ended, seeds, observations);
};

/// Refers to two simulators, since greedy episodes must not disturb those of training.
template <HostEnvironment Simulator>
struct Host {
  using Source = Simulator;
  static constexpr bool recordable = false;
  static constexpr int count = Simulator::count, observation_size = Simulator::observation_size,
                       action_count = Simulator::action_count;
  Simulator* training;
  Simulator* evaluating;

  Host evaluation() const {
    require(evaluating != nullptr, "Host.evaluating", "null", "a simulator");
    return {evaluating, nullptr};
  }

  template <class Machine>
  class On {
   public:
    static constexpr int N = count, O = observation_size;

    On(Machine&, const Host& host, std::uint64_t seed)
        : simulator_(host.training),
          seed_(seed),
          actions_(N),
          observations_(std::size_t(O) * N),
          padded_(observations_.size()),
          outcomes_(N),
          ended_(N),
          seeds_(N),
          rewards_(N),
          terminated_(N),
          truncated_(N) {
      require(host.training != nullptr, "Host.training", "null", "a simulator");
      require(host.training != host.evaluating, "Host.evaluating", "the training simulator",
              "another one, since greedy episodes must not disturb training");
    }

    template <class Observations>
    void reset(Machine& machine, const core::Clock* clock, Observations observations) {
      for (std::uint8_t& ended : ended_) ended = 1;
      restart(env_steps(machine, clock));
      upload(machine, observations);
    }

    template <class Observations, class After>
    void step(Machine& machine, const core::Clock* clock, const std::int32_t* actions,
              Stepped<Observations> out, After after) {
      machine.download(actions_.data(), actions, N);
      simulator_->step(actions_, observations_, outcomes_);
      upload(machine, out.next);
      for (int e = 0; e < N; ++e) {
        const Outcome outcome = outcomes_[e];
        rewards_[e] = outcome.reward;
        terminated_[e] = outcome.terminated;
        truncated_[e] = outcome.truncated && !outcome.terminated;
        ended_[e] = outcome.terminated || outcome.truncated;
      }
      machine.upload(out.rewards, rewards_.data(), N);
      machine.upload(out.terminated, terminated_.data(), N);
      machine.upload(out.truncated, truncated_.data(), N);
      restart(env_steps(machine, clock) + N);
      upload(machine, out.observations);
      machine.for_each(N, after);
    }

   private:
    static std::uint64_t env_steps(Machine& machine, const core::Clock* clock) {
      core::Clock now;
      machine.download(&now, clock, 1);
      return now.env_steps;
    }
    void restart(std::uint64_t step) {
      for (int e = 0; e < N; ++e) {
        const core::Words words =
            core::philox(seed_, core::Stream::environment_reset, step, std::uint32_t(e));
        seeds_[e] = std::uint64_t{words.word[1]} << 32 | words.word[0];
      }
      simulator_->reset(ended_, seeds_, observations_);
    }
    template <class Observations>
    void upload(Machine& machine, Observations to) {
      if constexpr (Observations::stride == O) {
        machine.upload(to.data, observations_.data(), observations_.size());
      } else {
        padded_.resize(std::size_t(Observations::stride) * N);
        for (int e = 0; e < N; ++e)
          for (int o = 0; o < O; ++o)
            padded_[std::size_t(e) * Observations::stride + o] = observations_[e * O + o];
        machine.upload(to.data, padded_.data(), padded_.size());
      }
    }

    Simulator* simulator_;
    std::uint64_t seed_;
    std::vector<std::int32_t> actions_;
    std::vector<float> observations_, padded_;
    std::vector<Outcome> outcomes_;
    std::vector<std::uint8_t> ended_;
    std::vector<std::uint64_t> seeds_;
    std::vector<float> rewards_;
    std::vector<std::uint8_t> terminated_, truncated_;
  };
};
template <class Simulator>
Host(Simulator*, Simulator*) -> Host<Simulator>;

}  // namespace polyq::env
