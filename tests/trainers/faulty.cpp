// SPDX-License-Identifier: MIT
// A trainer whose environment breaks its promise; also shows that a trainer is its composition.
#include <cstdint>
#include <limits>
#include <polyq/backend/reference.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/replay/uniform.hpp>

#include "host_ranks.hpp"
#include "run.hpp"

using namespace polyq;
using trainer::Compiled;

/// Episodes of 10 steps; one step in 1000 observes what is not a number.
struct Faulty {
  static constexpr const char* name = "Faulty";
  static constexpr int observation_size = 1, action_count = 2;

  struct State {
    int steps;
    bool broken;
  };

  State reset(core::Random) const { return {0, false}; }
  env::Outcome step(State& state, std::int32_t, core::Random random) const {
    state.steps += 1;
    state.broken = core::below(random.words().word[0], 1'000) == 0;
    return {1.f, false, state.steps >= 10};
  }
  void observe(const State& state, float* out) const {
    out[0] = state.broken ? std::numeric_limits<float>::quiet_NaN() : float(state.steps);
  }
};

using Environments = env::Vectorized<Faulty, Compiled::num_envs>;
using Network = nn::Mlp<Faulty::observation_size, 8, Faulty::action_count>;
using Replay = replay::Uniform<Compiled::batch_size>;

struct QLearning {
  template <class Use>
  static int with_rule(const trainer::Options&, Use use) {
    return use(rule::QLearning{});
  }
};

backend::Reference on_cpu(const trainer::Device&) { return {}; }

int main(int argc, char** argv) {
  const trainer::Made made{.device = trainer::Device::Kind::cpu,
                           .env = Faulty::name,
                           .algo = "q-learning",
                           .goal = env::Goal{.solved = 475, .stop = 490}};
  return trainer::run(argc, argv, made,
                      trainer::Composition{"Reference", on_cpu, trainer::HostRanks{}, Network{},
                                           Replay{}, Environments{}, QLearning{}});
}
