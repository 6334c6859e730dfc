// SPDX-License-Identifier: MIT
// An agent on Thrust's cpp system.
#include <polyq/backend/thrust.hpp>
#include <polyq/polyq.hpp>

int main() {
  polyq::Dqn agent{polyq::backend::ThrustHost{}, polyq::nn::Mlp<4, 8, 2>{},
                   polyq::replay::Uniform<8>{.capacity = 100}, polyq::optim::Adam{}};
  const polyq::TrainResult result =
      polyq::train(agent, polyq::env::CartPole{}, {.env_steps = 100, .warm_up_env_steps = 50});
  return result.updates == 49 ? 0 : 1;
}
