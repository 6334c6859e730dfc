// SPDX-License-Identifier: MIT
// Lanes: N environments on a machine, and on the host what each of their steps wrote; and those of
// one backend beside the oracle's.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <polyq/backend/reference.hpp>
#include <polyq/env/vectorized.hpp>
#include <vector>

#include "rows.hpp"

namespace test {

/// Runs behind each lane's step: copies what that lane just wrote.
struct CopyWritten {
  const float *rewards, *next;
  const std::uint8_t *terminated, *truncated;
  float* seen;  // [4, N]
  int stride;
  POLYQ_HD void operator()(std::int64_t e) const {
    seen[4 * e] = rewards[e];
    seen[4 * e + 1] = next[e * stride];
    seen[4 * e + 2] = terminated[e];
    seen[4 * e + 3] = truncated[e];
  }
};

/// N lanes and all that they write.
template <class B, class Env, int N>
class Lanes {
 public:
  using Machine = typename B::Machine;
  using Observations =
      polyq::backend::Activations<typename Machine::Storage, float, Env::observation_size, N>;

  explicit Lanes(std::uint64_t seed, Env env = {}, std::uint64_t env_steps = 0)
      : clock{env_steps, 0}, on_(machine_, polyq::env::Vectorized<Env, N>{env}, seed) {
    on_.reset(machine_, clock_.get(), stepped());
    now = downloaded(machine_, written_.view().observations);
  }
  void step(const std::vector<std::int32_t>& actions) {
    const auto to = written_.view();
    machine_.upload(clock_.get(), &clock, 1);
    machine_.upload(to.actions, actions.data(), N);
    on_.step(machine_, clock_.get(), to.actions, stepped(),
             CopyWritten{to.rewards, to.next.data, to.terminated, to.truncated, seen_.get(),
                         Observations::stride});
    clock.env_steps += N;
    const auto rows = written_.download(machine_);
    now = rows.observations;
    next = rows.next;
    rewards = rows.rewards;
    terminated = rows.terminated;
    truncated = rows.truncated;
    seen = downloaded(machine_, seen_.get(), 4 * N);
  }

  polyq::core::Clock clock;
  // Of the last step; `now` is from after any reset.
  HostMatrix<Observations> now, next;
  std::vector<float> rewards, seen;
  std::vector<std::uint8_t> terminated, truncated;

 private:
  polyq::env::Stepped<Observations> stepped() const {
    const auto to = written_.view();
    return {to.next, to.observations, to.rewards, to.terminated, to.truncated};
  }

  Machine machine_{B{}};
  typename polyq::env::Vectorized<Env, N>::template On<Machine> on_;
  RowsOn<Machine, Observations> written_{machine_};
  typename Machine::template Owned<polyq::core::Clock> clock_ =
      uploaded(machine_, std::vector{clock});
  typename Machine::template Owned<float> seen_ = machine_.template allocate<float>(4 * N);
};

/// Episodes that ended, and observed numbers further than `tolerance` from the oracle's.
struct Compared {
  int terminated = 0, truncated = 0, different = 0;
};

/// Four lanes on B beside those on Reference; choose(step, the oracle's lanes) gives the actions of
/// both.
template <class B, class Env, class Choose>
Compared compare_with_reference(int steps, float tolerance, Choose choose) {
  Lanes<B, Env, 4> lanes(3);
  Lanes<polyq::backend::Reference, Env, 4> oracle(3);
  Compared compared;
  for (int step = 0; step < steps; ++step) {
    const std::vector<std::int32_t> actions = choose(step, oracle);
    lanes.step(actions);
    oracle.step(actions);
    CHECK(lanes.terminated == oracle.terminated);
    CHECK(lanes.truncated == oracle.truncated);
    CHECK(lanes.rewards == oracle.rewards);
    for (int e = 0; e < 4; ++e) {
      compared.terminated += lanes.terminated[e];
      compared.truncated += lanes.truncated[e];
      for (int o = 0; o < Env::observation_size; ++o) {
        const auto near = [&](float a, float b) { return std::abs(a - b) <= tolerance; };
        compared.different += !near(lanes.now(o, e), oracle.now(o, e));
        compared.different += !near(lanes.next(o, e), oracle.next(o, e));
      }
    }
  }
  return compared;
}

}  // namespace test
