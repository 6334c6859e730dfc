// SPDX-License-Identifier: MIT
// The trainer's defaults solve CartPole for seeds 1, 2 and 3 within 50 000 env steps: a mean greedy
// return of 475 over 100 episodes that decided nothing.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>

TEST_CASE("CartPole is solved by the defaults") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    polyq::Dqn agent(polyq::backend::EigenCpu{}, polyq::nn::Mlp<4, 64, 64, 2>{},
                     polyq::replay::Uniform<64>{.capacity = 50'000},
                     polyq::optim::Adam{.rate = 2e-3f}, {.seed = seed});
    const polyq::TrainResult result = polyq::train(agent, polyq::env::CartPole{});
    CAPTURE(result.env_steps);
    CHECK(result.solved);
    CHECK(result.best.mean >= 475);
    CHECK(result.best.episodes == 100);
    CHECK(result.env_steps <= 50'000);
  }
}
