// SPDX-License-Identifier: MIT
// An environment that forbids actions: Nim. Two players take one to three stones in turn, never
// more than are left; who takes the last wins. The agent learns to leave a multiple of four.
#include <array>
#include <cstdint>
#include <cstdio>
#include <polyq/polyq.hpp>

using namespace polyq;

struct Nim {
  static constexpr const char* name = "Nim";
  static constexpr int most = 20, observation_size = most + 1, action_count = 3;
  static constexpr env::Goal goal{.solved = .95, .stop = 1};  // 1: every game won

  struct State {
    int stones;
  };

  /// Never a multiple of four, from which a perfect opponent wins.
  POLYQ_HD State reset(core::Random random) const {
    const core::Words draws = random.words();
    return {4 * int(core::below(draws.word[0], most / 4)) + 1 + int(core::below(draws.word[1], 3))};
  }
  POLYQ_HD math::ActionMask<3> legal(const State& state) const {
    math::ActionMask<3> mask;  // nothing is legal yet
    for (int action = 0; action < 3; ++action)
      if (action < state.stones) mask.allow(action);
    if (state.stones == 0) mask.allow(0);  // at the end, where nobody moves: never an empty mask
    return mask;
  }
  /// Action a takes a + 1 stones; the opponent answers.
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random random) const {
    state.stones -= action + 1;
    if (state.stones == 0) return {1, true, false};
    const int guess = 1 + int(core::below(random.words().word[0], 3));
    const int taken = state.stones % 4 != 0  ? state.stones % 4
                      : guess < state.stones ? guess
                                             : state.stones;
    state.stones -= taken;
    return {state.stones == 0 ? -1.f : 0.f, state.stones == 0, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    for (int stones = 0; stones <= most; ++stones) out[stones] = stones == state.stones ? 1.f : 0.f;
  }
};
static_assert(env::Environment<Nim>);

int main() {
  Dqn agent{backend::EigenCpu{},
            nn::Mlp<21, 32, 3>{},
            replay::Uniform<32>{.capacity = 10'000},
            optim::Adam{.rate = 1e-3f},
            {.exploration = math::Schedule::linear(1, .1f, 5'000)}};
  const TrainResult result = train(agent, env::Vectorized<Nim, 4>{}, {.env_steps = 40'000});
  std::printf("%s after %llu env steps: mean return %.2f over %d games\n",
              result.solved ? "solved" : "not solved",
              static_cast<unsigned long long>(result.env_steps), result.best.mean,
              result.best.episodes);

  agent.set_parameters(result.best_parameters);
  Greedy act{agent};
  std::array<float, 21> observation;
  for (const int stones : {2, 7, 13, 18}) {
    const Nim::State state{stones};
    Nim{}.observe(state, observation.data());
    std::printf("of %2d stones take %d\n", stones, act(observation, Nim{}.legal(state)) + 1);
  }
  return result.solved ? 0 : 1;
}
