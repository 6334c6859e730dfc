// SPDX-License-Identifier: MIT
// Acrobot beside 3 000 recorded steps of Gymnasium's Acrobot-v1, one by one and in whole episodes;
// its resets, its reward, its observation and its end; on every backend.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/env/acrobot.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "gymnasium.hpp"
#include "lanes.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

template <class Real>
using State = typename env::AcrobotOf<Real>::State;

/// Of two angles, the turns between them apart.
double between(double a, double b) { return std::abs(std::remainder(a - b, 2 * std::acos(-1.))); }

template <class Real>
struct Traits {
  using Env = env::AcrobotOf<Real>;
  static constexpr int numbers = 4;

  static State<Real> state_of(const double (&from)[4], int steps) {
    return {{Real(from[0]), Real(from[1]), Real(from[2]), Real(from[3])}, steps};
  }
  static double distance(const State<Real>& state, const double (&from)[4]) {
    return std::max({between(double(state.at.theta1), from[0]),
                     between(double(state.at.theta2), from[1]),
                     std::abs(double(state.at.theta1_dot) - from[2]),
                     std::abs(double(state.at.theta2_dot) - from[3])});
  }
};

const std::vector<test::Recorded<4>>& recording() {
  static const auto steps = test::read_recording<4>("gymnasium_acrobot.txt", 3'000);
  return steps;
}

/// Those at everyday velocities.
std::vector<test::Recorded<4>> slow_steps() {
  std::vector<test::Recorded<4>> slow;
  for (const auto& r : recording())
    if (std::abs(r.before[2]) < 8 && std::abs(r.before[3]) < 8) slow.push_back(r);
  return slow;
}

/// Two lanes that swing up by a torque along the second joint's velocity, two with actions of their
/// own.
std::vector<std::int32_t> swing_or_wander(int step, const auto& lanes) {
  const auto along = [&lanes](int e) { return lanes.now(5, e) < 0 ? 0 : 2; };
  return {along(0), along(1), step / 3 % 3, (step + step / 7) % 3};
}

// By finite differences, rounding the recorded state to float may alone change a step by 1.9e-4
// near 28 rad/s, where 0.2 s are almost a turn, and by 4.6e-6 below 8 rad/s. Twice that, for the
// step's own roundings. No recorded step ends within 3e-3 of the goal's height.
constexpr double float_bound = 4e-4, slow_float_bound = 1e-5;
constexpr double double_over_float = 0x1p-29;  // of their roundings

}  // namespace

TEST_CASE("each recorded step in double") {
  test::check_each_step<Traits<double>>(recording(), float_bound * double_over_float);
  test::check_each_step<Traits<double>>(slow_steps(), slow_float_bound * double_over_float);
}

TEST_CASE("each recorded step in float") {
  test::check_each_step<Traits<float>>(recording(), float_bound);
  test::check_each_step<Traits<float>>(slow_steps(), slow_float_bound);
  CHECK(slow_steps().size() > 2'500);
}

TEST_CASE("whole episodes in double end at the recorded step with the recorded flag") {
  const test::Followed followed = test::follow_episodes<Traits<double>>(recording());
  CHECK(followed.wrong == 0);
  // Roundings grow along an episode, to 4e-12; this is still far from the 3e-3 above.
  CHECK(followed.drift <= 1e-9);
  CHECK(followed.terminated == 76);
  CHECK(followed.truncated == 3);
}

TEST_CASE_TEMPLATE("resets are uniform in +-0.1 and depend on every part of the draw", Real, float,
                   double) {
  const env::AcrobotOf<Real> acrobot;
  double lowest[4] = {1, 1, 1, 1}, highest[4] = {-1, -1, -1, -1}, sum[4] = {};
  constexpr int count = 10'000;
  for (std::uint32_t lane = 0; lane < count; ++lane) {
    const State<Real> s = acrobot.reset({3, core::Stream::environment_reset, 17, lane});
    const Real numbers[4] = {s.at.theta1, s.at.theta2, s.at.theta1_dot, s.at.theta2_dot};
    for (int i = 0; i < 4; ++i) {
      lowest[i] = std::min(lowest[i], double(numbers[i]));
      highest[i] = std::max(highest[i], double(numbers[i]));
      sum[i] += double(numbers[i]);
      CHECK(numbers[i] == Real(float(numbers[i])));
    }
    CHECK(s.steps == 0);
  }
  for (int i = 0; i < 4; ++i) {
    CAPTURE(i);
    // -0.1 itself may be drawn, rounded to float by at most an ulp of 0.2.
    CHECK(lowest[i] >= -.1 - 1.5e-8);
    CHECK(highest[i] <= .1 + 1.5e-8);
    // Of 10 000 draws the extremes are within 0.1 % of the range, but in e^-10 of all cases.
    CHECK(lowest[i] < -.0998);
    CHECK(highest[i] > .0998);
    // The mean's standard deviation is 0.2 / √12 / √10 000 = 5.8e-4; four of them.
    CHECK(std::abs(sum[i] / count) < 2.4e-3);
  }
  const auto first = [&](core::Random random) { return acrobot.reset(random).at.theta1; };
  const core::Random random{3, core::Stream::environment_reset, 17, 0};
  CHECK(first(random) == first(random));
  CHECK(first(random) != first({4, core::Stream::environment_reset, 17, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 18, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 17, 1}));
}

TEST_CASE_TEMPLATE("without torque it is truncated at the step limit, 500 unless set", Real, float,
                   double) {
  for (const int limit : {500, 30}) {
    CAPTURE(limit);
    env::AcrobotOf<Real> acrobot;
    if (limit != 500) acrobot.step_limit = limit;
    State<Real> state = acrobot.reset({3, core::Stream::environment_reset, 0, 0});
    int steps = 0, terminated = 0;
    double sum = 0;
    for (bool truncated = false; !truncated && steps < 1'000; ++steps) {
      const env::Outcome outcome = acrobot.step(state, 1, {});
      truncated = outcome.truncated;
      terminated += outcome.terminated;
      sum += outcome.reward;
    }
    CHECK(steps == limit);
    CHECK(terminated == 0);
    CHECK(sum == -limit);
  }
}

TEST_CASE_TEMPLATE("angles stay within a turn and velocities within their bounds", Real, float,
                   double) {
  const double pi = std::acos(-1.);
  const env::AcrobotOf<Real> acrobot;
  for (const int side : {-1, 1}) {
    State<Real> state{{side * Real(3), side * Real(3), side * Real(12), side * Real(28)}, 0};
    for (int step = 0; step < 20; ++step) {
      acrobot.step(state, 1 + side, {});
      // In float π and 4 π are rounded, and so are the turns: by two ulps of 4 and of 32 at most.
      CHECK(std::abs(double(state.at.theta1)) <= pi + 1e-6);
      CHECK(std::abs(double(state.at.theta2)) <= pi + 1e-6);
      CHECK(std::abs(double(state.at.theta1_dot)) <= 4 * pi + 4e-6);
      CHECK(std::abs(double(state.at.theta2_dot)) <= 9 * pi + 4e-6);
    }
  }
}

TEST_CASE("at rest it stays, hanging or upright; upright it is done, which costs nothing") {
  State<double> hanging{};
  env::Outcome outcome = env::AcrobotOf<double>{}.step(hanging, 1, {});
  CHECK(!outcome.terminated);
  CHECK(outcome.reward == -1);
  CHECK(Traits<double>::distance(hanging, {0, 0, 0, 0}) == 0);

  State<double> upright{{std::acos(-1.), 0, 0, 0}, 499};
  outcome = env::AcrobotOf<double>{}.step(upright, 1, {});
  CHECK(outcome.terminated);
  CHECK(outcome.truncated);
  CHECK(outcome.reward == 0);
  CHECK(Traits<double>::distance(upright, {std::acos(-1.), 0, 0, 0}) < 1e-15);  // sin π is 1.2e-16
}

TEST_CASE("what is observed is the angles' cosines and sines and the velocities, in float") {
  const State<double> state{{.1, -2.2, .3, -.4}, 5};
  float seen[6];
  env::AcrobotOf<double>{}.observe(state, seen);
  CHECK(seen[0] == float(std::cos(.1)));
  CHECK(seen[1] == float(std::sin(.1)));
  CHECK(seen[2] == float(std::cos(-2.2)));
  CHECK(seen[3] == float(std::sin(-2.2)));
  CHECK(seen[4] == .3f);
  CHECK(seen[5] == -.4f);
}

// A GPU rounds otherwise, which grows: there for as many steps as it takes to swing up once.
TEST_CASE_TEMPLATE("states are equal, bit for bit, on every backend of the host", B,
                   POLYQ_BACKENDS) {
  const test::Compared compared = test::compare_with_reference<B, env::Acrobot>(
      test::on_gpu ? 90 : 550, test::on_gpu ? 1e-2f : 0,
      [](int step, const auto& lanes) { return swing_or_wander(step, lanes); });
  CHECK(compared.terminated >= (test::on_gpu ? 1 : 8));
  CHECK(compared.truncated >= (test::on_gpu ? 0 : 2));
  CHECK(compared.different == 0);
}

TEST_CASE("Gymnasium's goal stands in the environment") {
  static_assert(env::Acrobot::goal.solved == -100 && env::Acrobot::goal.stop == -90);
  static_assert(env::Acrobot::observation_size == 6 && env::Acrobot::action_count == 3);
  static_assert(env::Environment<env::Acrobot> && env::Environment<env::AcrobotOf<double>>);
  CHECK(std::string(env::Acrobot::name) == "Acrobot-v1");
}
