// SPDX-License-Identifier: MIT
// Six policies of six rooms in one agent: Rainbow's network, replay and rule, a clipped and decayed
// optimizer, a communicator, on a CPU's own backend and on the GPU's twin. Random actions give
// CartPole a mean return of about 22.
#include <doctest/doctest.h>

#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/backend/thrust.hpp>
#include <polyq/comm/threads.hpp>
#include <polyq/dqn/categorical.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/rainbow.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/optim/decayed.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/train/train.hpp>

namespace {

template <class Backend>
polyq::TrainResult train_on(const polyq::TrainSettings& settings) {
  polyq::Dqn agent(
      Backend{}, polyq::nn::RainbowMlp<21, 4, 32, 32, 2>{},
      polyq::replay::NStep<3, polyq::replay::Prioritized<32>>{{.capacity = 20'000}},
      polyq::optim::Clipped{polyq::optim::Decayed{polyq::optim::Adam{.rate = 1e-3f}, 1e-5f}, 10.f},
      {}, polyq::rule::DoubleCategorical<21>(0, 100), polyq::comm::Threads{});
  return polyq::train(agent, polyq::env::CartPole{}, settings);
}

}  // namespace

TEST_CASE("six policies of six rooms solve CartPole on EigenCpu") {
  const polyq::TrainResult result = train_on<polyq::backend::EigenCpu>({.env_steps = 50'000});
  CAPTURE(result.env_steps);
  CHECK(result.best.mean >= 475);
}

TEST_CASE("six policies of six rooms learn CartPole on ThrustHost") {
  const polyq::TrainResult result = train_on<polyq::backend::ThrustHost>({.env_steps = 8'000});
  CAPTURE(result.env_steps);
  CHECK(result.best.mean >= 195);
}
