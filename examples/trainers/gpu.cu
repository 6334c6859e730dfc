// SPDX-License-Identifier: MIT
// The trainer on one GPU: agent, replay and environments live there.
#include <polyq/cuda.cuh>

#include "run.hpp"

using namespace polyq;
using trainer::Compiled;

using Environment = env::CartPole;
using Environments = env::Vectorized<Environment, Compiled::num_envs>;
using Network =
    nn::Mlp<Environment::observation_size, POLYQ_TRAINER_HIDDEN, Environment::action_count>;
using Replay = replay::Uniform<Compiled::batch_size>;

backend::ThrustCuda on_gpu(const trainer::Device& device) { return {.device = device.number}; }

int main(int argc, char** argv) {
  return trainer::run(
      argc, argv, trainer::Composition{"ThrustCuda", on_gpu, Network{}, Replay{}, Environments{}});
}
