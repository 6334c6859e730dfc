// SPDX-License-Identifier: MIT
// The GPU's twin learns: one short run of the trainer's defaults on ThrustHost. Random actions give
// a mean return of about 22; the defaults on EigenCpu, seeds 1 to 8, give 209 to 500 by then.
#include <doctest/doctest.h>

#include <polyq/backend/thrust.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>

TEST_CASE("ThrustHost learns CartPole by the defaults") {
  polyq::Dqn agent(polyq::backend::ThrustHost{}, polyq::nn::Mlp<4, 64, 64, 2>{},
                   polyq::replay::Uniform<64>{.capacity = 50'000},
                   polyq::optim::Adam{.rate = 2e-3f}, {.seed = 1});
  const polyq::TrainResult result =
      polyq::train(agent, polyq::env::CartPole{}, {.env_steps = 12'000});
  CAPTURE(result.env_steps);
  CHECK(result.best.mean >= 195);
  CHECK(result.best.episodes == 100);
}
