// SPDX-License-Identifier: MIT
// Host: N lanes of a simulator that is not a pure function, stepped on the host over spans. A step
// waits once: one transfer brings the actions, one takes back what they led to.
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polyq/core/arena.hpp"
#include "polyq/core/error.hpp"
#include "polyq/env/concept.hpp"

namespace polyq::env {

/// - step(actions [N], next [O,N], outcomes [N]) writes the observation before any reset.
/// - reset(ended [N], seeds [N], observations [O,N]) restarts only the lanes with ended != 0 and
///   writes only their columns.
/// Column e of an [O,N] span begins at e·O. A simulator may also have `static constexpr Goal goal`,
/// and legal(masks [N]), which writes every lane's legal actions at the observation that its last
/// step or reset wrote, at least one unless the episode has ended.
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

/// What a host simulator is asked, in one piece.
template <int N>
struct Asked {
  core::Clock clock;
  std::int32_t actions[N];
};

/// Whether a simulator says which actions are legal.
template <class S>
concept MaskedSimulator = requires(S& simulator,
                                   std::span<math::ActionMask<S::action_count>> masks) {
  simulator.legal(masks);
};

/// What it tells, in one piece; observations are without pads.
template <int O, int A, int N>
struct Told {
  float next[N][O], observations[N][O], rewards[N];
  std::uint8_t terminated[N], truncated[N];
  math::ActionMask<A> legal_next[N], legal[N];  // where the simulator says so
};

/// Writes lane e's mask where there is a place for it.
template <int A>
POLYQ_HD void tell_legal(const math::ActionMask<A>* told, std::int64_t e, std::uint32_t* legal) {
  constexpr int words = math::mask_words(A);
  if (legal != nullptr)
    for (int w = 0; w < words; ++w) legal[e * words + w] = told[e].word[w];
}

template <int N>
struct Ask {
  const core::Clock* clock;
  const std::int32_t* actions;
  Asked<N>* asked;
  POLYQ_HD void operator()(std::int64_t e) const {
    asked->actions[e] = actions[e];
    if (e == 0) asked->clock = *clock;
  }
};

template <int O, int A, int N, class Observations>
struct TellStart {
  const Told<O, A, N>* told;
  Stepped<Observations> out;
  POLYQ_HD void operator()(std::int64_t e) const {
    for (int o = 0; o < O; ++o) out.observations(o, int(e)) = told->observations[e][o];
    tell_legal(told->legal, e, out.legal);
  }
};

template <int O, int A, int N, class Observations>
struct TellStep {
  const Told<O, A, N>* told;
  Stepped<Observations> out;
  POLYQ_HD void operator()(std::int64_t e) const {
    for (int o = 0; o < O; ++o) {
      out.next(o, int(e)) = told->next[e][o];
      out.observations(o, int(e)) = told->observations[e][o];
    }
    out.rewards[e] = told->rewards[e];
    out.terminated[e] = told->terminated[e];
    out.truncated[e] = told->truncated[e];
    tell_legal(told->legal_next, e, out.legal_next);
    tell_legal(told->legal, e, out.legal);
  }
};

/// Refers to two simulators, since greedy episodes must not disturb those of training.
template <HostEnvironment Simulator>
struct Host {
  using Source = Simulator;
  static constexpr bool recordable = false, masked = MaskedSimulator<Simulator>;
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
    static constexpr int N = count, O = observation_size, A = action_count;

    On(Machine& machine, const Host& host, std::uint64_t seed, std::uint32_t first_lane = 0)
        : simulator_(host.training),
          seed_(seed),
          first_lane_(first_lane),
          arena_(machine, places.all.bytes(), "a simulator's transfers"),
          told_(1),
          observations_(std::size_t(O) * N),
          outcomes_(N),
          ended_(N),
          seeds_(N) {
      require(host.training != nullptr, "Host.training", "null", "a simulator");
      require(host.training != host.evaluating, "Host.evaluating", "the training simulator",
              "another one, since greedy episodes must not disturb training");
    }

    template <class Observations>
    void reset(Machine& machine, const core::Clock* clock, Stepped<Observations> out) {
      core::Clock now;
      machine.download(&now, clock, 1);
      for (std::uint8_t& ended : ended_) ended = 1;
      restart(now.env_steps);
      machine.upload(arena_[places.told], told_.data(), 1);
      machine.for_each(N, TellStart<O, A, N, Observations>{arena_[places.told], out});
    }

    template <class Observations, class After>
    void step(Machine& machine, const core::Clock* clock, const std::int32_t* actions,
              Stepped<Observations> out, After after) {
      machine.for_each(N, Ask<N>{clock, actions, arena_[places.asked]});
      machine.download(&asked_, arena_[places.asked], 1);
      simulator_->step(asked_.actions, observations_, outcomes_);
      keep(told_[0].next, observations_);
      if constexpr (masked) simulator_->legal(fresh(told_[0].legal_next));
      for (int e = 0; e < N; ++e) {
        const Outcome outcome = outcomes_[e];
        told_[0].rewards[e] = outcome.reward;
        told_[0].terminated[e] = outcome.terminated;
        told_[0].truncated[e] = outcome.truncated && !outcome.terminated;
        ended_[e] = outcome.terminated || outcome.truncated;
      }
      restart(asked_.clock.env_steps + N);
      machine.upload(arena_[places.told], told_.data(), 1);
      machine.for_each(N, TellStep<O, A, N, Observations>{arena_[places.told], out});
      machine.for_each(N, after);
    }

   private:
    struct Places {
      core::Layout all;
      core::Place<Asked<N>> asked;
      core::Place<Told<O, A, N>> told;
      constexpr Places() {
        asked = all.place<Asked<N>>(1);
        told = all.place<Told<O, A, N>>(1);
      }
    };
    static constexpr Places places{};

    void restart(std::uint64_t step) {
      for (int e = 0; e < N; ++e) {
        const core::Words words = core::philox(seed_, core::Stream::environment_reset, step,
                                               first_lane_ + std::uint32_t(e));
        seeds_[e] = std::uint64_t{words.word[1]} << 32 | words.word[0];
      }
      simulator_->reset(ended_, seeds_, observations_);
      keep(told_[0].observations, observations_);
      if constexpr (masked) simulator_->legal(fresh(told_[0].legal));
    }
    using Masks = math::ActionMask<A>[N];
    static Masks& fresh(Masks& masks) {
      std::fill_n(masks, N, math::ActionMask<A>{});
      return masks;
    }
    static void keep(float (&columns)[N][O], const std::vector<float>& from) {
      std::copy(from.begin(), from.end(), &columns[0][0]);
    }

    Simulator* simulator_;
    std::uint64_t seed_;
    std::uint32_t first_lane_;
    core::Arena<Machine> arena_;
    Asked<N> asked_;
    std::vector<Told<O, A, N>> told_;  // one, which may be too large for a stack
    std::vector<float> observations_;
    std::vector<Outcome> outcomes_;
    std::vector<std::uint8_t> ended_;
    std::vector<std::uint64_t> seeds_;
  };
};
template <class Simulator>
Host(Simulator*, Simulator*) -> Host<Simulator>;

}  // namespace polyq::env
