// SPDX-License-Identifier: MIT
// Watch: the bound of |Q| and what counts as diverged; what a look at a run tells of episodes and
// values, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/actor.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/watch.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Lane e's episode is two steps and returns 2 (e + 1). From an age on, a number is spoilt.
struct Spoilt {
  static constexpr const char* name = "Spoilt";
  static constexpr int observation_size = 2, action_count = 18;
  std::uint32_t lane = 1;
  int age = 1'000'000;  // env step of its lane, from 1, at which the number below is used
  int index = -1;       // of the observation; -1 is the reward
  float value = 0;

  struct State {
    std::uint32_t lane;
    int steps, age;
  };
  POLYQ_HD State reset(core::Random random) const {
    return {random.lane, 0, int(random.step / 3)};  // three lanes
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t, core::Random) const {
    ++state.age;
    ++state.steps;
    const bool spoil = state.lane == lane && state.age == age;
    return {spoil && index < 0 ? value : float(state.lane + 1), state.steps == 2, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.lane);
    out[1] = float(state.steps);
    if (state.lane == lane && state.age == age && index >= 0) out[index] = value;
  }
};

/// An agent whose Q is a bias alone, in three lanes, watched. 18 outputs end in pads on EigenCpu.
template <class B>
struct Run {
  using Network = polyq::nn::Mlp<2, 18>;
  using Agent = polyq::Dqn<B, Network, polyq::replay::Uniform<8>, polyq::optim::Sgd>;
  using Environments = env::Vectorized<Spoilt, 3>;

  Agent agent;
  polyq::Actor<Agent, Environments> actor;
  polyq::Watch<Agent, polyq::Actor<Agent, Environments>> watch;

  // So low a rate leaves the parameters as they were set.
  explicit Run(Spoilt spoilt = {}, polyq::DqnSettings settings = {.discount = .5f})
      : agent(B{}, {}, {.capacity = 3'000}, {.rate = 1e-30f}, settings),
        actor(agent, {spoilt}, 3'000),
        watch(agent, actor, Spoilt::name) {}
  void set_bias(float value) {
    std::vector<float> parameters(Network::parameter_count);
    parameters[2 * 18 + 5] = value;
    agent.set_parameters(parameters);
  }
  polyq::Chunk step_and_look(int steps) {
    const std::uint64_t first = test::clock_of(agent).env_steps;
    for (int i = 0; i < steps; ++i) actor.enqueue_step();
    return watch.look(first, test::clock_of(agent).env_steps, false);
  }
  std::string refusal() {
    try {
      step_and_look(10);
      watch.refuse_faults();
    } catch (const polyq::EnvironmentError& error) {
      return error.what();
    }
    return "nothing";
  }
};

}  // namespace

TEST_CASE("the bound of |Q| is r_max / (1 - discount)") {
  CHECK(polyq::value_bound(1, .5f) == 2);
  CHECK(polyq::value_bound(3, 0) == 3);
  CHECK(polyq::value_bound(1, .99f) == doctest::Approx(100).epsilon(1e-6));  // of 1 − .99f
  CHECK(polyq::value_bound(0, .5f) == 0);
  CHECK(polyq::value_bound(1, 1) == infinity);
  CHECK(polyq::value_bound(0, 1) == infinity);
}

TEST_CASE("diverged is what is not finite or over a hundred times its bound") {
  CHECK(!polyq::has_diverged(200, 2));
  CHECK(polyq::has_diverged(200.1f, 2));
  CHECK(polyq::has_diverged(infinity, 2));
  CHECK(polyq::has_diverged(not_a_number, 2));
  CHECK(!polyq::has_diverged(1e30f, 0));  // no reward was seen yet: no bound
  CHECK(polyq::has_diverged(infinity, 0));
  CHECK(polyq::has_diverged(not_a_number, 0));
  CHECK(!polyq::has_diverged(1e30f, infinity));
  CHECK(polyq::has_diverged(infinity, infinity));
}

TEST_CASE_TEMPLATE("a look tells the episodes since the last one and their running mean", B,
                   POLYQ_BACKENDS) {
  Run<B> run;
  CHECK(std::isnan(run.watch.training_return()));
  polyq::Chunk chunk = run.step_and_look(1);
  CHECK(chunk.episodes.empty());
  CHECK(std::isnan(chunk.training_return));
  chunk = run.step_and_look(1);
  REQUIRE(chunk.episodes.size() == 3);
  for (int e = 0; e < 3; ++e) {
    CHECK(chunk.episodes[e].episode_return == 2 * (e + 1));
    CHECK(chunk.episodes[e].length == 2);
  }
  CHECK(chunk.training_return == 4);
  CHECK(run.watch.episodes() == 3);
  chunk = run.step_and_look(7);
  CHECK(chunk.episodes.size() == 9);
  CHECK(run.watch.episodes() == 12);
  CHECK(chunk.training_return == 4);
}

TEST_CASE_TEMPLATE("the training return is the mean of the last 100 episodes", B, POLYQ_BACKENDS) {
  Run<B> run({.lane = 1, .age = 21, .index = -1, .value = 302});
  run.step_and_look(20);  // 30 episodes of mean 4
  CHECK(run.watch.training_return() == 4);
  polyq::Chunk chunk = run.step_and_look(2);  // one of 304 among 33
  CHECK(chunk.training_return == doctest::Approx((32 * 4 + 4 + 300) / 33.).epsilon(1e-12));
  run.step_and_look(44);
  CHECK(run.watch.episodes() == 99);
  run.step_and_look(20);  // 129 episodes: the one of 304, the 32nd, is still in
  CHECK(run.watch.training_return() > 6.9);
  chunk = run.step_and_look(2);  // 132: the last 100 are the 33rd to the 132nd
  CHECK(run.watch.episodes() == 132);
  // 33 whole rounds of 2, 4, 6 and a 6 before them.
  CHECK(chunk.training_return == doctest::Approx((33 * 12 + 6) / 100.).epsilon(1e-12));
}

TEST_CASE_TEMPLATE("a look tells exploration, the largest value and its bound", B, POLYQ_BACKENDS) {
  Run<B> run({}, {.discount = .5f,
                  .exploration = polyq::math::Schedule::linear(1, 0, 100),
                  .reward = {.scale = .5f}});
  run.set_bias(-40);
  polyq::Chunk chunk = run.step_and_look(10);
  CHECK(chunk.exploration == doctest::Approx(.7).epsilon(1e-6));  // 30 of 100 env steps, in float
  CHECK(chunk.largest_value == 0);  // nothing was learned from a batch yet
  CHECK(chunk.value_bound == 3);    // 3, scaled to 1.5, over 1 − 0.5
  run.agent.update();
  chunk = run.watch.look(30, 30, true);
  CHECK(chunk.largest_value == 40);
  CHECK(chunk.episodes.empty());
}

TEST_CASE_TEMPLATE("the bound remembers rewards of an earlier run, still in the replay", B,
                   POLYQ_BACKENDS) {
  using Agent = typename Run<B>::Agent;
  Run<B> run;
  CHECK(run.step_and_look(1).value_bound == 6);  // 3 over 1 − 0.5
  polyq::Actor actor(run.agent, env::Vectorized<Spoilt, 3>{});
  polyq::Watch<Agent, decltype(actor)> watch(run.agent, actor, Spoilt::name);
  CHECK(watch.look(3, 3, false).value_bound == 6);
}

TEST_CASE_TEMPLATE("the largest value is the batch's, in whichever column it stands", B,
                   POLYQ_BACKENDS) {
  Run<B> run;
  std::vector<float> parameters(Run<B>::Network::parameter_count);
  parameters[17 * 2] = -1;        // Q of the last action: minus the lane
  parameters[17 * 2 + 1] = -.5f;  // and half of the steps
  run.agent.set_parameters(parameters);
  run.step_and_look(10);
  for (int update = 0; update < 50; ++update) {
    run.agent.update();
    const auto now = test::now_of(run.agent);
    float largest = 0;
    for (int i = 0; i < 8; ++i) largest = std::max(largest, -now(17, i));
    CHECK(run.watch.look(30, 30, true).largest_value == largest);
  }
}

TEST_CASE_TEMPLATE("a number that is not finite is refused by name, lane, env step and index", B,
                   POLYQ_BACKENDS) {
  // The third step of lane 1 of three is the run's eighth env step.
  CHECK(Run<B>({.lane = 1, .age = 3, .index = -1, .value = not_a_number}).refusal() ==
        "polyq: environment Spoilt, lane 1, env step 8: reward = nan; allowed: finite numbers");
  CHECK(Run<B>({.lane = 2, .age = 1, .index = -1, .value = -infinity}).refusal() ==
        "polyq: environment Spoilt, lane 2, env step 3: reward = -inf; allowed: finite numbers");
  CHECK(Run<B>({.lane = 0, .age = 5, .index = 1, .value = infinity}).refusal() ==
        "polyq: environment Spoilt, lane 0, env step 13: observation[1] = inf; allowed: finite "
        "numbers");
  CHECK(Run<B>({.lane = 0, .age = 0, .index = 0, .value = infinity}).refusal() ==
        "polyq: environment Spoilt, lane 0, env step 1: observation[0] = inf; allowed: finite "
        "numbers");
  CHECK(Run<B>({.lane = 1, .age = 3, .index = -1, .value = 1e30f}).refusal() == "nothing");
}

TEST_CASE_TEMPLATE("a value that is not finite is told as NaN", B, POLYQ_BACKENDS) {
  for (const float bias : {infinity, -infinity, not_a_number}) {
    Run<B> run;
    run.set_bias(bias);
    run.step_and_look(10);
    run.agent.update();
    CHECK(std::isnan(run.watch.look(30, 30, true).largest_value));
  }
}

TEST_CASE("learning that diverged is refused with its value and the allowed range") {
  const auto refusal = [](float largest_value) -> std::string {
    polyq::Chunk chunk{};
    chunk.env_steps = 30;
    chunk.largest_value = largest_value;
    chunk.value_bound = 6;
    try {
      polyq::refuse_divergence(chunk);
    } catch (const polyq::DivergenceError& error) {
      return error.what();
    }
    return "nothing";
  };
  CHECK(refusal(600) == "nothing");
  CHECK(refusal(601) ==
        "polyq: learning diverged by env step 30: largest |Q| = 601; allowed: up to 100 times "
        "r_max / (1 - discount) = 6; lower the learning rate or copy the target more slowly");
  CHECK(refusal(not_a_number).find("largest |Q| = nan; allowed: up to 100 times") !=
        std::string::npos);
}
