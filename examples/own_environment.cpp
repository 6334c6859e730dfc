// SPDX-License-Identifier: MIT
// An environment of your own: a value of pure functions. Walk a corridor to its door, in the
// shortest way; on a GPU the same struct would step there.
#include <cstdint>
#include <cstdio>
#include <polyq/polyq.hpp>

using namespace polyq;

struct Corridor {
  static constexpr const char* name = "Corridor";
  static constexpr int observation_size = 2, action_count = 2;  // [place, door]; left, right
  static constexpr env::Goal goal{.solved = -4.5, .stop = -4.5};

  int length = 10;  // settings are members

  struct State {
    int place, door, steps;
  };

  POLYQ_HD State reset(core::Random random) const {
    const core::Words draws = random.words();
    const int door = int(core::below(draws.word[0], 2)) * length;
    return {length / 2 + int(core::below(draws.word[1], 3)) - 1, door, 0};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    state.place += action == 1 ? 1 : -1;
    state.steps += 1;
    const bool arrived = state.place == state.door;
    const bool wrong_end = !arrived && (state.place == 0 || state.place == length);
    const float reward = wrong_end ? -20.f : arrived ? 0.f : -1.f;
    return {reward, arrived || wrong_end, state.steps >= 50};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.place) / float(length);
    out[1] = state.door == 0 ? -1.f : 1.f;
  }
};
static_assert(env::Environment<Corridor>);  // says early what is missing

int main() {
  Dqn agent{backend::EigenCpu{},
            nn::Mlp<2, 32, 32, 2>{},
            replay::Uniform<32>{.capacity = 10'000},
            optim::Adam{.rate = 1e-3f},
            {.exploration = math::Schedule::linear(1, .05f, 5'000)}};
  const TrainResult result =
      train(agent, env::Vectorized<Corridor, 4>{{.length = 10}}, {.env_steps = 40'000});
  std::printf("%s: mean return %.2f (the shortest ways average -4.0)\n",
              result.solved ? "solved" : "not solved", result.best.mean);
  return result.solved ? 0 : 1;
}
