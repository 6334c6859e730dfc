// SPDX-License-Identifier: MIT
// What every trainer composes for CartPole, in the sizes that are compiled in.
#pragma once
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/replay/uniform.hpp>

#include "run.hpp"

namespace trainer {

using Environment = polyq::env::CartPole;
using Environments = polyq::env::Vectorized<Environment, Compiled::num_envs>;
using Network =
    polyq::nn::Mlp<Environment::observation_size, POLYQ_TRAINER_HIDDEN, Environment::action_count>;
using Replay = polyq::replay::Uniform<Compiled::batch_size>;

/// A trainer's main on the backend that `backend_on` makes, for ranks that meet by `with_ranks`.
template <class Backend, class Ranks>
int train_cart_pole(int argc, const char* const* argv, const char* backend_name,
                    Backend (*backend_on)(const Device&), Ranks with_ranks) {
  return run(
      argc, argv,
      Composition{backend_name, backend_on, with_ranks, Network{}, Replay{}, Environments{}});
}

}  // namespace trainer
