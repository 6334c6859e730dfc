// SPDX-License-Identifier: MIT
// Fault: the first number that is not finite is kept, and named as a user can find it.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <polyq/dqn/fault.hpp>
#include <string>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float sound[3] = {1, -2, 3};

std::string message_of(const polyq::Fault& fault) {
  try {
    fault.refuse("Pendulum", 4);
  } catch (const polyq::EnvironmentError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("finite numbers leave no fault") {
  polyq::Fault fault{};
  fault.look<3>(7, -1e30f, sound, sound);
  CHECK(!fault.faulty);
  CHECK(message_of(fault) == "");
}

TEST_CASE("a reward, and an observation before or after the step, are named") {
  const float bad[3] = {0, infinity, 0};
  polyq::Fault of_reward{}, before{}, after{};
  of_reward.look<3>(9, not_a_number, sound, sound);
  CHECK(message_of(of_reward) ==
        "polyq: environment Pendulum, lane 4, env step 10: reward = nan; allowed: finite numbers");
  before.look<3>(0, 1, bad, sound);
  CHECK(message_of(before) ==
        "polyq: environment Pendulum, lane 4, env step 1: observation[1] = inf; allowed: finite "
        "numbers");
  after.look<3>(0, 1, sound, bad);
  CHECK(message_of(after) == message_of(before));
}

TEST_CASE("the first fault is kept") {
  polyq::Fault fault{};
  const float bad[3] = {0, 0, -infinity};
  fault.look<3>(5, 1, sound, bad);
  fault.look<3>(6, not_a_number, sound, sound);
  CHECK(fault.fault_row == 5);
  CHECK(fault.fault_index == 2);
  CHECK(fault.fault_value == -infinity);
}

TEST_CASE("a state without a legal action is named") {
  const std::uint32_t none[2] = {0, 1u << 8}, one[2] = {0, 1u << 7};  // of 40 actions
  polyq::Fault fault{};
  fault.look_at_legal(2, one, 40);
  CHECK(message_of(fault) == "");
  fault.look_at_legal(3, none, 40);
  fault.look_at_legal(4, none, 40);
  CHECK(message_of(fault) ==
        "polyq: environment Pendulum, lane 4, env step 4: legal actions = none; allowed: at least "
        "one");
}
