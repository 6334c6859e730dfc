// SPDX-License-Identifier: MIT
// DqnSettings: an agent refuses each number out of its range, naming field, value and range.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>

#include "backends.hpp"

namespace {

using polyq::DqnSettings;
using polyq::math::Schedule;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// What an agent of these settings says as it is made.
template <class B>
std::string refusal(const DqnSettings& settings, polyq::math::Huber huber = {}) {
  try {
    polyq::Dqn agent(B{}, polyq::nn::Mlp<2, 2>{}, polyq::replay::Uniform<4>{.capacity = 8},
                     polyq::optim::Sgd{}, settings, polyq::rule::QLearning(huber));
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE_TEMPLATE("an agent refuses settings out of their ranges", B, POLYQ_BACKENDS) {
  CHECK(refusal<B>({.discount = -.1f}) ==
        "polyq: DqnSettings.discount = -0.100000001; allowed: [0, 1]");
  CHECK(refusal<B>({.discount = 1.1f}) ==
        "polyq: DqnSettings.discount = 1.10000002; allowed: [0, 1]");
  CHECK(refusal<B>({.discount = not_a_number}) ==
        "polyq: DqnSettings.discount = nan; allowed: [0, 1]");
  CHECK(refusal<B>({.tau = 0}) == "polyq: DqnSettings.tau = 0; allowed: (0, 1]");
  CHECK(refusal<B>({.tau = 1.5f}) == "polyq: DqnSettings.tau = 1.5; allowed: (0, 1]");
  CHECK(refusal<B>({.tau = not_a_number}) == "polyq: DqnSettings.tau = nan; allowed: (0, 1]");
  CHECK(refusal<B>({.target_period_updates = 0}) ==
        "polyq: DqnSettings.target_period_updates = 0; allowed: >= 1");
  CHECK(refusal<B>({.exploration = 2.f}) == "polyq: DqnSettings.exploration = 2; allowed: [0, 1]");
  CHECK(refusal<B>({.exploration = -.5f}) ==
        "polyq: DqnSettings.exploration = -0.5; allowed: [0, 1]");
  CHECK(refusal<B>({.exploration = not_a_number}) ==
        "polyq: DqnSettings.exploration = nan; allowed: [0, 1]");
  CHECK(refusal<B>({.exploration = Schedule::linear(1, -1, 100)}) ==
        "polyq: DqnSettings.exploration = -1; allowed: [0, 1]");
  CHECK(refusal<B>({.exploration = Schedule::linear(1, .1f, 0)}) ==
        "polyq: DqnSettings.exploration, its env steps = 0; allowed: finite and > 0");
  CHECK(refusal<B>({.reward = {.scale = 0}}) ==
        "polyq: RewardTransform.scale = 0; allowed: finite and > 0");
  CHECK(refusal<B>({.reward = {.scale = infinity}}) ==
        "polyq: RewardTransform.scale = inf; allowed: finite and > 0");
  CHECK(refusal<B>({.reward = {.clip = 0}}) == "polyq: RewardTransform.clip = 0; allowed: > 0");
  CHECK(refusal<B>({}, {.delta = 0}) == "polyq: Huber.delta = 0; allowed: > 0");
  CHECK(refusal<B>({}, {.delta = not_a_number}) == "polyq: Huber.delta = nan; allowed: > 0");
}

TEST_CASE_TEMPLATE("the ends of the ranges, and the defaults, are allowed", B, POLYQ_BACKENDS) {
  CHECK(refusal<B>({}) == "nothing");
  CHECK(refusal<B>({.discount = 0, .exploration = 0.f, .target_period_updates = 1, .tau = 1}) ==
        "nothing");
  CHECK(refusal<B>({.discount = 1, .exploration = 1.f, .tau = 1e-6f, .reward = {.clip = 1}}) ==
        "nothing");
}
