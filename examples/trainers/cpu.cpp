// SPDX-License-Identifier: MIT
// The trainer on one core of a CPU.
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/replay/uniform.hpp>

#include "run.hpp"

using namespace polyq;
using trainer::Compiled;

using Environment = env::CartPole;
using Environments = env::Vectorized<Environment, Compiled::num_envs>;
using Network =
    nn::Mlp<Environment::observation_size, POLYQ_TRAINER_HIDDEN, Environment::action_count>;
using Replay = replay::Uniform<Compiled::batch_size>;

backend::EigenCpu on_cpu(const trainer::Device&) { return {}; }

int main(int argc, char** argv) {
  return trainer::run(
      argc, argv, trainer::Composition{"EigenCpu", on_cpu, Network{}, Replay{}, Environments{}});
}
