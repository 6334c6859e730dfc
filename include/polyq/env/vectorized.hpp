// SPDX-License-Identifier: MIT
// Vectorized: N copies of a pure environment on any backend, each reset as it ends.
#pragma once
#include <cstdint>
#include <tuple>

#include "polyq/core/arena.hpp"
#include "polyq/env/concept.hpp"

namespace polyq::env {

/// Whether an environment says which actions are legal.
template <class Env>
concept Masked = requires(const Env& env, const typename Env::State& state) {
  env.legal(state);
};

/// Writes the mask of lane e's state, of an environment that has one.
template <class Env>
POLYQ_HD void write_legal(const Env& env, const typename Env::State& state, std::int64_t e,
                          std::uint32_t* legal) {
  if constexpr (Masked<Env>) {
    constexpr int words = math::mask_words(Env::action_count);
    const math::ActionMask<Env::action_count> mask = env.legal(state);
    for (int w = 0; w < words; ++w) legal[e * words + w] = mask.word[w];
  }
}

/// Starts lane e anew, drawing at the clock's env steps.
template <class Env, class Observations>
struct ResetLane {
  Env env;
  typename Env::State* states;
  Stepped<Observations> out;
  const core::Clock* clock;
  std::uint64_t seed;
  std::uint32_t first_lane;

  POLYQ_HD void operator()(std::int64_t e) const {
    const core::Random random{seed, core::Stream::environment_reset, clock->env_steps,
                              first_lane + std::uint32_t(e)};
    const typename Env::State state = env.reset(random);
    env.observe(state, out.observations.column(int(e)));
    write_legal(env, state, e, out.legal);
    states[e] = state;
  }
};

/// Steps lane e and, where its episode ended, starts the next one, drawing at the env steps after
/// this step: no two resets of a run share their draws.
template <class Env, class Observations>
struct StepLane {
  static constexpr int N = Observations::columns;
  Env env;
  typename Env::State* states;
  const core::Clock* clock;
  const std::int32_t* actions;
  Stepped<Observations> out;
  std::uint64_t seed;
  std::uint32_t first_lane;

  // Computed where it is used: kept over a step's functions it would spill a GPU's registers.
  POLYQ_HD std::uint32_t lane(std::int64_t e) const { return first_lane + std::uint32_t(e); }
  POLYQ_HD void operator()(std::int64_t e) const {
    typename Env::State state = states[e];
    const Outcome outcome = env.step(
        state, actions[e], {seed, core::Stream::environment_step, clock->env_steps, lane(e)});
    env.observe(state, out.next.column(int(e)));
    write_legal(env, state, e, out.legal_next);
    out.rewards[e] = outcome.reward;
    out.terminated[e] = outcome.terminated;
    out.truncated[e] = outcome.truncated && !outcome.terminated;
    if (outcome.terminated || outcome.truncated)
      state = env.reset({seed, core::Stream::environment_reset, clock->env_steps + N, lane(e)});
    env.observe(state, out.observations.column(int(e)));
    write_legal(env, state, e, out.legal);
    states[e] = state;
  }
};

template <Environment Env, int N>
struct Vectorized {
  static_assert(N > 0, "polyq::env::Vectorized: the number of environments is below 1");
  using Source = Env;
  static constexpr bool recordable = true, masked = Masked<Env>;
  static constexpr int count = N, observation_size = Env::observation_size,
                       action_count = Env::action_count;
  Env env;

  auto fields() const { return std::tie(env); }

  /// Ten lanes: ten greedy episodes at once cost hardly more than one.
  Vectorized<Env, 10> evaluation() const { return {env}; }

  template <class Machine>
  class On {
   public:
    On(Machine& machine, const Vectorized& environments, std::uint64_t seed,
       std::uint32_t first_lane = 0)
        : env_(environments.env),
          seed_(seed),
          first_lane_(first_lane),
          arena_(machine, places.all.bytes(), "the environments' states") {}

    template <class Observations>
    void reset(Machine& machine, const core::Clock* clock, Stepped<Observations> out) {
      machine.for_each(
          N, ResetLane<Env, Observations>{env_, states(), out, clock, seed_, first_lane_});
    }
    template <class Observations, class After>
    void step(Machine& machine, const core::Clock* clock, const std::int32_t* actions,
              Stepped<Observations> out, After after) {
      using Step = StepLane<Env, Observations>;
      machine.for_each(
          N, backend::Then{Step{env_, states(), clock, actions, out, seed_, first_lane_}, after});
    }

   private:
    struct Places {
      core::Layout all;
      core::Place<typename Env::State> states;
      constexpr Places() { states = all.place<typename Env::State>(N); }
    };
    static constexpr Places places{};
    typename Env::State* states() { return arena_[places.states]; }

    Env env_;
    std::uint64_t seed_;
    std::uint32_t first_lane_;
    core::Arena<Machine> arena_;
  };
};

}  // namespace polyq::env
