// SPDX-License-Identifier: MIT
// MountainCar beside 3 000 recorded steps of Gymnasium's MountainCar-v0, one by one and in whole
// episodes; its resets, its reward, its walls and its end; on every backend.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/env/mountain_car.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "gymnasium.hpp"
#include "lanes.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

template <class Real>
using State = typename env::MountainCarOf<Real>::State;

template <class Real>
struct Traits {
  using Env = env::MountainCarOf<Real>;
  static constexpr int numbers = 2;

  static State<Real> state_of(const double (&from)[2], int steps) {
    return {Real(from[0]), Real(from[1]), steps};
  }
  static double distance(const State<Real>& state, const double (&from)[2]) {
    return std::max(std::abs(double(state.x) - from[0]), std::abs(double(state.x_dot) - from[1]));
  }
};

const std::vector<test::Recorded<2>>& recording() {
  static const auto steps = test::read_recording<2>("gymnasium_mountain_car.txt", 3'000);
  return steps;
}

/// Two lanes that push along their velocity and climb, two with actions of their own.
std::vector<std::int32_t> climb_or_wander(int step, const auto& lanes) {
  const auto along = [&lanes](int e) { return lanes.now(1, e) < 0 ? 0 : 2; };
  return {along(0), along(1), step / 3 % 3, (step + step / 7) % 3};
}

}  // namespace

TEST_CASE("each recorded step in double") {
  // Half an ulp of a number below 2 is 1.1e-16: this allows the last bit of a cosine as well.
  test::check_each_step<Traits<double>>(recording(), 2.3e-16);
}

TEST_CASE("each recorded step in float") {
  // Half an ulp of a number below 2 is 6.0e-8, once for the state before the step and once for that
  // after it; the velocity's are less by a factor of 16. No recorded step ends within 4e-4 of a
  // wall or of the goal.
  test::check_each_step<Traits<float>>(recording(), 1.3e-7);
}

TEST_CASE("whole episodes in double end at the recorded step with the recorded flag") {
  const test::Followed followed = test::follow_episodes<Traits<double>>(recording());
  CHECK(followed.wrong == 0);
  // Bit for bit without fused multiplications, with them 200 steps of the bound above at most.
  CHECK(followed.drift <= 200 * 2.3e-16);
  CHECK(followed.terminated == 19);
  CHECK(followed.truncated == 7);
}

TEST_CASE("whole episodes in float end at the recorded step with the recorded flag") {
  const test::Followed followed = test::follow_episodes<Traits<float>>(recording());
  CHECK(followed.wrong == 0);
  // 200 steps of 1.3e-7, were none to grow; they measure 5.3e-6, far from the 4e-4 above.
  CHECK(followed.drift <= 2.6e-5);
}

TEST_CASE_TEMPLATE(
    "resets are at rest, uniform in [-0.6, -0.4), and depend on every part of the draw", Real,
    float, double) {
  const env::MountainCarOf<Real> car;
  double lowest = 1, highest = -1, sum = 0;
  constexpr int count = 10'000;
  for (std::uint32_t lane = 0; lane < count; ++lane) {
    const State<Real> s = car.reset({3, core::Stream::environment_reset, 17, lane});
    lowest = std::min(lowest, double(s.x));
    highest = std::max(highest, double(s.x));
    sum += double(s.x);
    CHECK(s.x_dot == 0);
    CHECK(s.steps == 0);
  }
  // -0.6 itself may be drawn, in float rounded by at most half an ulp of 0.6.
  CHECK(lowest >= -.6 - 3e-8);
  CHECK(highest <= -.4 + 3e-8);
  // Of 10 000 draws the extremes are within 0.1 % of the range, but in e^-10 of all cases.
  CHECK(lowest < -.5998);
  CHECK(highest > -.4002);
  // The mean's standard deviation is 0.2 / √12 / √10 000 = 5.8e-4; four of them.
  CHECK(std::abs(sum / count + .5) < 2.4e-3);

  const auto first = [&](core::Random random) { return car.reset(random).x; };
  const core::Random random{3, core::Stream::environment_reset, 17, 0};
  CHECK(first(random) == first(random));
  CHECK(first(random) != first({4, core::Stream::environment_reset, 17, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 18, 0}));
  CHECK(first(random) != first({3, core::Stream::environment_reset, 17, 1}));
}

TEST_CASE_TEMPLATE("a car left alone is truncated at the step limit, 200 unless set", Real, float,
                   double) {
  for (const int limit : {200, 30}) {
    CAPTURE(limit);
    env::MountainCarOf<Real> car;
    if (limit != 200) car.step_limit = limit;
    State<Real> state = car.reset({3, core::Stream::environment_reset, 0, 0});
    int steps = 0, terminated = 0;
    double sum = 0;
    for (bool truncated = false; !truncated && steps < 1'000; ++steps) {
      const env::Outcome outcome = car.step(state, 1, {});
      truncated = outcome.truncated;
      terminated += outcome.terminated;
      sum += outcome.reward;
    }
    CHECK(steps == limit);
    CHECK(terminated == 0);
    CHECK(sum == -limit);
  }
}

TEST_CASE_TEMPLATE("the left wall stops the car, the right end only holds it", Real, float,
                   double) {
  State<Real> state{Real(-1.19), Real(-.07), 0};
  CHECK(!env::MountainCarOf<Real>{}.step(state, 0, {}).terminated);
  CHECK(state.x == Real(-1.2));
  CHECK(state.x_dot == 0);
  env::MountainCarOf<Real>{}.step(state, 2, {});  // and lets it leave
  CHECK(state.x > Real(-1.2));
  CHECK(state.x_dot > 0);

  state = {Real(.59), Real(.07), 0};
  CHECK(env::MountainCarOf<Real>{}.step(state, 2, {}).terminated);
  CHECK(state.x == Real(.6));
  CHECK(state.x_dot > Real(.06));
}

TEST_CASE("it ends at 0.5 and not before, and only on the way up") {
  const auto ends = [](double x, double x_dot) {
    State<double> state{x, x_dot + .0025 * std::cos(3 * x), 0};  // which gravity takes back
    return env::MountainCarOf<double>{}.step(state, 1, {}).terminated;
  };
  CHECK(!ends(.48, .0199));
  CHECK(ends(.48, .0201));
  CHECK(!ends(.55, -.01));
  CHECK(ends(.55, .01));
}

TEST_CASE("a step that arrives at the limit is terminated as well as truncated") {
  State<double> state{.49, .07, 199};
  const env::Outcome outcome = env::MountainCarOf<double>{}.step(state, 2, {});
  CHECK(outcome.terminated);
  CHECK(outcome.truncated);
  CHECK(outcome.reward == -1);
}

TEST_CASE("what is observed is the state, rounded to float") {
  const State<double> state{-.1, .02, 5};
  float seen[2];
  env::MountainCarOf<double>{}.observe(state, seen);
  CHECK(seen[0] == -.1f);
  CHECK(seen[1] == .02f);
}

// A GPU's roundings drift as those of float above.
TEST_CASE_TEMPLATE("states are equal, bit for bit, on every backend of the host", B,
                   POLYQ_BACKENDS) {
  const test::Compared compared = test::compare_with_reference<B, env::MountainCar>(
      450, test::on_gpu ? 1e-4f : 0,
      [](int step, const auto& lanes) { return climb_or_wander(step, lanes); });
  CHECK(compared.terminated >= 4);
  CHECK(compared.truncated >= 2);
  CHECK(compared.different == 0);
}

TEST_CASE("Gymnasium's goal stands in the environment") {
  static_assert(env::MountainCar::goal.solved == -110 && env::MountainCar::goal.stop == -107);
  static_assert(env::MountainCar::observation_size == 2 && env::MountainCar::action_count == 3);
  static_assert(env::Environment<env::MountainCar> && env::Environment<env::MountainCarOf<double>>);
  CHECK(std::string(env::MountainCar::name) == "MountainCar-v0");
}
