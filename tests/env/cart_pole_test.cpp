// SPDX-License-Identifier: MIT
// CartPole beside 10 000 recorded steps of Gymnasium's CartPole-v1, one by one and in whole
// episodes; its resets, its reward and its end.

// An open-loop episode multiplies a difference by e^(4 t), 10^17 in its 500 steps, so that it
// follows the recording only bit for bit: as Gymnasium, without fused multiplications.
#if defined(__clang__)
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/env/cart_pole.hpp>
#include <string>
#include <vector>

#include "gymnasium.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

template <class Real>
using State = typename env::CartPoleOf<Real>::State;

template <class Real>
struct Traits {
  using Env = env::CartPoleOf<Real>;
  static constexpr int numbers = 4;

  static State<Real> state_of(const double (&from)[4], int steps) {
    return {Real(from[0]), Real(from[1]), Real(from[2]), Real(from[3]), steps};
  }
  static double distance(const State<Real>& state, const double (&from)[4]) {
    return std::max({std::abs(double(state.x) - from[0]), std::abs(double(state.x_dot) - from[1]),
                     std::abs(double(state.theta) - from[2]),
                     std::abs(double(state.theta_dot) - from[3])});
  }
};

const std::vector<test::Recorded<4>>& recording() {
  static const auto steps = test::read_recording<4>("gymnasium_cart_pole.txt", 10'000);
  return steps;
}

/// Steps for ever upright, so that only the limit ends the episode.
template <class Real>
env::Outcome balance(const env::CartPoleOf<Real>& cart_pole, State<Real>& state) {
  const Real lean =
      state.theta + Real(.5) * state.theta_dot + Real(.05) * state.x + Real(.1) * state.x_dot;
  return cart_pole.step(state, lean > 0, {});
}

}  // namespace

TEST_CASE("each recorded step in double") {
  // Numbers are below 4, whose ulp is 4.4e-16: this allows the last bit of one sine or cosine.
  test::check_each_step<Traits<double>>(recording(), 4.5e-16);
}

TEST_CASE("each recorded step in float") {
  // Half an ulp of a number below 4 is 1.2e-7, and the state was rounded to float before the step
  // as well as by it: at most twice that. No recorded step ends within 2.6e-4 of a limit.
  test::check_each_step<Traits<float>>(recording(), 2.4e-7);
}

TEST_CASE("whole episodes in double end at the recorded step with the recorded flag") {
  const test::Followed followed = test::follow_episodes<Traits<double>>(recording());
  CHECK(followed.wrong == 0);
  CHECK(followed.drift == 0);
  CHECK(followed.terminated == 134);  // and the last of 142 is cut by the end of the recording
  CHECK(followed.truncated == 7);
}

TEST_CASE_TEMPLATE("resets are uniform in +-0.05 and depend on every part of the draw", Real, float,
                   double) {
  const env::CartPoleOf<Real> cart_pole;
  double lowest[4] = {1, 1, 1, 1}, highest[4] = {-1, -1, -1, -1}, sum[4] = {};
  constexpr int count = 10'000;
  for (std::uint32_t lane = 0; lane < count; ++lane) {
    const State<Real> s = cart_pole.reset({3, core::Stream::environment_reset, 17, lane});
    const double numbers[4] = {double(s.x), double(s.x_dot), double(s.theta), double(s.theta_dot)};
    for (int i = 0; i < 4; ++i) {
      lowest[i] = std::min(lowest[i], numbers[i]);
      highest[i] = std::max(highest[i], numbers[i]);
      sum[i] += numbers[i];
    }
    CHECK(s.steps == 0);
  }
  for (int i = 0; i < 4; ++i) {
    CAPTURE(i);
    // -0.05 itself may be drawn, in float rounded by at most an ulp of 0.1.
    CHECK(lowest[i] >= -.05 - 7.5e-9);
    CHECK(highest[i] <= .05 + 7.5e-9);
    // Of 10 000 draws the extremes are within 0.1 % of the range, but in e^-10 of all cases.
    CHECK(lowest[i] < -.0499);
    CHECK(highest[i] > .0499);
    // The mean's standard deviation is 0.1 / √12 / √10 000 = 2.9e-4; four of them.
    CHECK(std::abs(sum[i] / count) < 1.2e-3);
  }
  const auto first = [&](core::Random random) { return cart_pole.reset(random).x; };
  const core::Random random{3, core::Stream::environment_reset, 17, 0};
  CHECK(first(random) == first(random));
  CHECK(first(random) != first({4, core::Stream::environment_reset, 17, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 18, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 17, 1}));
}

TEST_CASE_TEMPLATE("a balanced pole is truncated at the step limit, 500 unless set", Real, float,
                   double) {
  for (const int limit : {500, 30}) {
    CAPTURE(limit);
    env::CartPoleOf<Real> cart_pole;
    if (limit != 500) cart_pole.step_limit = limit;
    State<Real> state = cart_pole.reset({3, core::Stream::environment_reset, 0, 0});
    int steps = 0, terminated = 0;
    double sum = 0;
    for (bool truncated = false; !truncated && steps < 1'000; ++steps) {
      const env::Outcome outcome = balance(cart_pole, state);
      truncated = outcome.truncated;
      terminated += outcome.terminated;
      sum += outcome.reward;
    }
    CHECK(steps == limit);
    CHECK(terminated == 0);
    CHECK(sum == limit);
  }
}

TEST_CASE("it ends beyond 2.4 m and beyond 12 degrees, to either side, and not before") {
  const auto ends = [](double x, double theta) {
    State<double> state{x, 0, theta, 0, 0};
    return env::CartPoleOf<double>{}.step(state, 0, {}).terminated;  // no speed: x and theta stay
  };
  const double twelve_degrees = 12 * std::acos(-1.) / 180;
  for (const double side : {-1., 1.}) {
    CHECK(!ends(side * 2.4, 0));
    CHECK(ends(side * 2.4000001, 0));
    CHECK(!ends(0, side * (twelve_degrees - 1e-9)));
    CHECK(ends(0, side * (twelve_degrees + 1e-9)));
  }
}

TEST_CASE("a step that falls at the limit is terminated as well as truncated") {
  State<double> state{3, 0, 0, 0, 499};
  const env::Outcome outcome = env::CartPoleOf<double>{}.step(state, 0, {});
  CHECK(outcome.terminated);
  CHECK(outcome.truncated);
  CHECK(outcome.reward == 1);
}

TEST_CASE("what is observed is the state, rounded to float") {
  const State<double> state{.1, -.2, .3, -.4, 5};
  float seen[4];
  env::CartPoleOf<double>{}.observe(state, seen);
  CHECK(seen[0] == .1f);
  CHECK(seen[1] == -.2f);
  CHECK(seen[2] == .3f);
  CHECK(seen[3] == -.4f);
}

TEST_CASE("Gymnasium's goal stands in the environment") {
  static_assert(env::CartPole::goal.solved == 475 && env::CartPole::goal.stop == 490);
  static_assert(env::CartPole::observation_size == 4 && env::CartPole::action_count == 2);
  CHECK(std::string(env::CartPole::name) == "CartPole-v1");
}
