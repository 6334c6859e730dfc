// SPDX-License-Identifier: MIT
// Masked: a small environment that forbids actions; what it shows tells which ones, and how often
// one was taken all the same. SimulatedMasked: the same behind a simulator's interface.
#pragma once
#include <cstdint>
#include <polyq/core/random.hpp>
#include <polyq/env/concept.hpp>
#include <polyq/math/action_mask.hpp>
#include <span>

namespace test {

/// The legal actions are a function of the first observation, some half of them, at least one. A
/// legal action is rewarded by 1 and an illegal one by -1000. An episode is seven steps long, and
/// terminates where its last observation is even; without a legal action at `stuck_age` in
/// lane `stuck_lane`.
template <int A>
struct Masked {
  static constexpr const char* name = "Masked";
  static constexpr int observation_size = 3, action_count = A;
  std::uint32_t stuck_lane = ~std::uint32_t{0};
  int stuck_age = 0;

  struct State {
    std::uint32_t number, lane;
    int age, illegal;
  };
  POLYQ_HD static polyq::math::ActionMask<A> mask_of(std::uint32_t number) {
    namespace core = polyq::core;
    const core::Words words = core::philox(31, core::Stream::noise, number, 0);
    polyq::math::ActionMask<A> mask;
    for (int a = 0; a < A; ++a)
      if (words.word[a / 32] >> a % 32 & 1 || a == int(number % A)) mask.allow(a);
    return mask;
  }
  POLYQ_HD polyq::math::ActionMask<A> legal(const State& state) const {
    if (state.lane == stuck_lane && state.age == stuck_age) return {};
    return mask_of(state.number);
  }
  POLYQ_HD State reset(polyq::core::Random random) const { return {17, random.lane, 0, 0}; }
  POLYQ_HD polyq::env::Outcome step(State& state, std::int32_t action,
                                    polyq::core::Random random) const {
    const bool allowed = legal(state)[action];
    state.illegal += !allowed;
    state.age += 1;
    state.lane = random.lane;
    state.number = (state.number * 37 + std::uint32_t(action) * 11 + 5) % 4'096;
    const bool ends = state.age == 7, even = state.number % 2 == 0;
    return {allowed ? 1.f : -1'000.f, ends && even, ends && !even};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.number);
    out[1] = float(state.age);
    out[2] = float(state.illegal);
  }
};

template <int A, int N>
struct SimulatedMasked {
  static constexpr const char* name = "simulated Masked";
  static constexpr int count = N, observation_size = 3, action_count = A;
  typename Masked<A>::State states[N] = {};

  void step(std::span<const std::int32_t> actions, std::span<float> next,
            std::span<polyq::env::Outcome> outcomes) {
    for (int e = 0; e < N; ++e) {
      outcomes[e] = Masked<A>{}.step(states[e], actions[e], lane(e));
      Masked<A>{}.observe(states[e], &next[e * 3]);
    }
  }
  void reset(std::span<const std::uint8_t> ended, std::span<const std::uint64_t>,
             std::span<float> observations) {
    for (int e = 0; e < N; ++e) {
      if (!ended[e]) continue;
      states[e] = Masked<A>{}.reset(lane(e));
      Masked<A>{}.observe(states[e], &observations[e * 3]);
    }
  }
  void legal(std::span<polyq::math::ActionMask<A>> masks) {
    for (int e = 0; e < N; ++e) masks[e] = Masked<A>{}.legal(states[e]);
  }

 private:
  static polyq::core::Random lane(int e) {
    return {0, polyq::core::Stream::noise, 0, std::uint32_t(e)};
  }
};

}  // namespace test
