// SPDX-License-Identifier: MIT
// An agent on a GPU; without one, the sentence that says so.
#include <cstdio>
#include <cstring>
#include <polyq/cuda.cuh>

int main() {
  try {
    polyq::Dqn agent{polyq::backend::ThrustCuda{}, polyq::nn::Mlp<4, 8, 2>{},
                     polyq::replay::Uniform<8>{.capacity = 100}, polyq::optim::Adam{}};
    const polyq::TrainResult result =
        polyq::train(agent, polyq::env::CartPole{}, {.env_steps = 100, .warm_up_env_steps = 50});
    return result.updates == 49 ? 0 : 1;
  } catch (const polyq::DeviceError& error) {
    std::puts(error.what());
    return std::strstr(error.what(), "no CUDA device") != nullptr ? 0 : 1;
  }
}
