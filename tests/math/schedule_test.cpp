// SPDX-License-Identifier: MIT
// Schedules follow their formula, end exactly at their end, and refuse what they cannot follow.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/math/schedule.hpp>
#include <string>

using polyq::math::Schedule;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

double relative_error(double value, double exact) { return std::abs(value / exact - 1); }

/// The message with which check refuses, empty where it accepts.
template <class Check>
std::string message_of(Check check) {
  try {
    check();
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}
std::string refusal(const Schedule& schedule, float lowest, float highest) {
  return message_of([&] { schedule.check_within("Some.rate", lowest, highest); });
}
std::string refusal_unless_positive(const Schedule& schedule) {
  return message_of([&] { schedule.check_positive("Some.rate"); });
}

}  // namespace

TEST_CASE("a number is a constant schedule") {
  constexpr Schedule rate = .1f;
  for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
    CHECK(rate.at(step) == .1f);
}

TEST_CASE("a linear schedule") {
  constexpr Schedule down = Schedule::linear(1, .05f, 10'000);
  CHECK(down.at(0) == 1);
  CHECK(down.at(10'000) == .05f);
  CHECK(down.at(1'000'000'000'000) == .05f);
  const Schedule quarters = Schedule::linear(0, 8, 4);
  CHECK(quarters.at(1) == 2);
  CHECK(quarters.at(3) == 6);
  // Three roundings of numbers up to 1, each at most half of 2^-23.
  for (std::uint64_t step = 0; step < 10'000; ++step)
    if (std::abs(down.at(step) - (1 - .95 * double(step) / 10'000)) > 1.5 * 0x1p-23) FAIL(step);
}

TEST_CASE("an exponential schedule has equal factors in equal times") {
  constexpr Schedule down = Schedule::exponential(1, .0001f, 1000);
  CHECK(down.at(0) == 1);
  CHECK(down.at(1000) == .0001f);
  CHECK(down.at(1001) == .0001f);
  // The logarithm, up to 9.2, is rounded three times (quotient, log, product), which the
  // exponential turns into a relative error of 9.2 * 3 * 2^-24; exp adds one of 2^-23.
  CHECK(relative_error(down.at(250), .1) < 2e-6);
  CHECK(relative_error(down.at(500), .01) < 2e-6);
  CHECK(relative_error(down.at(750), .001) < 2e-6);
  CHECK(relative_error(Schedule::exponential(2, 32, 4).at(2), 8) < 1e-6);
}

TEST_CASE("never outside its ends, and never back") {
  for (const Schedule& schedule :
       {Schedule::linear(1, .05f, 777), Schedule::exponential(1, .05f, 777)})
    for (std::uint64_t step = 0; step < 777; ++step)
      if (schedule.at(step + 1) > schedule.at(step) || schedule.at(step) > 1 ||
          schedule.at(step) < .05f)
        FAIL(step);
}

TEST_CASE("check accepts what lies in the range, ends included") {
  CHECK(refusal(0.f, 0, 1) == "");
  CHECK(refusal(1.f, 0, 1) == "");
  CHECK(refusal(Schedule::linear(1, 0, 10), 0, 1) == "");
  CHECK(refusal(Schedule::exponential(1, .01f, 10), 0, 1) == "");
  CHECK(refusal_unless_positive(3.f) == "");
}

TEST_CASE("check refuses an end outside the range, with field, value and range") {
  CHECK(refusal(-1.f, 0, 1) == "polyq: Some.rate = -1; allowed: [0, 1]");
  CHECK(refusal(1.5f, 0, 1) == "polyq: Some.rate = 1.5; allowed: [0, 1]");
  CHECK(refusal(not_a_number, 0, 1) == "polyq: Some.rate = nan; allowed: [0, 1]");
  CHECK(refusal_unless_positive(0.f) == "polyq: Some.rate = 0; allowed: finite and > 0");
  CHECK(refusal_unless_positive(-2.f) == "polyq: Some.rate = -2; allowed: finite and > 0");
  CHECK(refusal_unless_positive(not_a_number) == "polyq: Some.rate = nan; allowed: finite and > 0");
  CHECK(refusal_unless_positive(Schedule::linear(1, 0, 10)) ==
        "polyq: Some.rate = 0; allowed: finite and > 0");
  CHECK(refusal_unless_positive(infinity) == "polyq: Some.rate = inf; allowed: finite and > 0");
  CHECK(refusal(Schedule::linear(1, -2, 10), 0, 1) == "polyq: Some.rate = -2; allowed: [0, 1]");
  CHECK(refusal(Schedule::linear(7, 1, 10), 0, 1) == "polyq: Some.rate = 7; allowed: [0, 1]");
  CHECK(refusal(Schedule::linear(1, not_a_number, 10), 0, 1) ==
        "polyq: Some.rate = nan; allowed: [0, 1]");
}

TEST_CASE("check refuses a length that is not finite and above 0") {
  const auto of_length = [](float env_steps) {
    return refusal(Schedule::linear(1, 0, env_steps), 0, 1);
  };
  CHECK(of_length(0) == "polyq: Some.rate, its env steps = 0; allowed: finite and > 0");
  CHECK(of_length(-5) == "polyq: Some.rate, its env steps = -5; allowed: finite and > 0");
  CHECK(of_length(not_a_number) ==
        "polyq: Some.rate, its env steps = nan; allowed: finite and > 0");
  CHECK(of_length(infinity) == "polyq: Some.rate, its env steps = inf; allowed: finite and > 0");
}

TEST_CASE("check refuses an exponential from or to 0") {
  const char* message = "polyq: Some.rate, exponential, its smaller end = 0; allowed: > 0";
  CHECK(refusal(Schedule::exponential(1, 0, 10), 0, 1) == message);
  CHECK(refusal(Schedule::exponential(0, 1, 10), 0, 1) == message);
}
