// SPDX-License-Identifier: MIT
// A consumer's program: trains for a moment and asks the agent for an action.
#include <array>
#include <cstdio>

#include "agent.hpp"

int main() {
  using namespace polyq;
  Agent agent{backend::EigenCpu{}, {}, {.capacity = 5'000}, {.rate = 1e-3f}};
  const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 2'000});
  const std::array<float, 4> upright{};
  const int action = Greedy{agent}(upright);
  std::printf("polyq %d.%d: %d updates, action %d\n", POLYQ_VERSION_MAJOR, POLYQ_VERSION_MINOR,
              int(result.updates), action);
  return result.updates == 999 && (action == 0 || action == 1) ? 0 : 1;
}
