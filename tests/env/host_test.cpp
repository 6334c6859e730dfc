// SPDX-License-Identifier: MIT
// Host: a simulator that is not a pure function. One whose first observation is 1e6 shows that no
// stored s' and no target reads past a reset; only ended lanes are reset, each from its own seed;
// evaluation leaves the simulator of training alone.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <polyq/env/host.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "masked.hpp"

namespace {

namespace env = polyq::env;

constexpr float first_observation = 1e6f;

/// Three lanes that shout at each start: lane 0 terminates at age 5, lane 1 is truncated at 6, lane
/// 2 sets both flags at 7. Keeps a log of how it was used.
template <int O>
struct Shouting {
  static constexpr const char* name = "Shouting";
  static constexpr int count = 3, observation_size = O, action_count = 2;

  int age[count] = {};
  bool ended[count] = {true, true, true};
  int steps = 0, resets = 0, wrongly_reset = 0;
  std::vector<std::int32_t> actions;
  std::vector<std::uint64_t> seeds;  // of the lanes that were reset

  void step(std::span<const std::int32_t> chosen, std::span<float> next,
            std::span<env::Outcome> outcomes) {
    ++steps;
    actions.insert(actions.end(), chosen.begin(), chosen.end());
    for (int e = 0; e < count; ++e) {
      ++age[e];
      for (int o = 0; o < O; ++o) next[e * O + o] = float(age[e]) + float(o) / 64;
      outcomes[e] = {1, age[e] == 5 + e && e != 1, age[e] == 5 + e && e != 0};
      ended[e] = outcomes[e].terminated || outcomes[e].truncated;
    }
  }
  void reset(std::span<const std::uint8_t> restarted, std::span<const std::uint64_t> lane_seeds,
             std::span<float> observations) {
    for (int e = 0; e < count; ++e) {
      wrongly_reset += bool(restarted[e]) != ended[e];
      if (!restarted[e]) continue;
      ++resets;
      ended[e] = false;
      age[e] = 0;
      seeds.push_back(lane_seeds[e]);
      for (int o = 0; o < O; ++o) observations[e * O + o] = first_observation;
    }
  }
};

struct Stateless {  // a user's simulator at its least
  static constexpr const char* name = "Stateless";
  static constexpr int count = 2, observation_size = 1, action_count = 2;
  static constexpr env::Goal goal{.solved = 3, .stop = 4};
  void step(std::span<const std::int32_t>, std::span<float>, std::span<env::Outcome>) {}
  void reset(std::span<const std::uint8_t>, std::span<const std::uint64_t>, std::span<float>) {}
};
struct Unresettable : Stateless {
  void reset();
};
struct Uncounted : Stateless {
  void count();
};

// So low a rate keeps the network near its start, though it reads observations of 1e6.
constexpr polyq::optim::Adam adam{.rate = 1e-6f};
// Without a bound on Q, since Q of 1e6 would count as diverged.
constexpr float discount = 1;

template <class B, int O>
using AgentOf =
    polyq::Dqn<B, polyq::nn::Mlp<O, 24, 2>, polyq::replay::Uniform<32>, polyq::optim::Adam>;

template <class B, int O>
auto make_agent() {
  return AgentOf<B, O>(B{}, {}, {.capacity = 300}, adam, {.discount = discount, .seed = 4});
}

/// What the batch of the last update may not hold, and that it holds what makes a mistake seen.
template <class Agent>
struct Watcher {
  Agent& agent;
  int first_observations = 0, past_the_reset = 0, wrong_discounts = 0, wrong_rows = 0;
  int terminations = 0, truncations = 0;
  float largest_target = 0;

  void look() {
    const auto batch = test::batch_of(agent);
    const auto now = test::now_of(agent);
    const std::vector<float> td = test::td_of(agent);
    for (int i = 0; i < Agent::B; ++i) {
      const float age =
          batch.observations(0, i) == first_observation ? 0 : batch.observations(0, i);
      const int lane = int(batch.rows[i] % 3);
      first_observations += age == 0;
      for (int o = 0; o < Agent::O; ++o) {
        past_the_reset += batch.next(o, i) >= first_observation;
        wrong_rows += batch.next(o, i) != age + 1 + float(o) / 64;
        if (age > 0) wrong_rows += batch.observations(o, i) != age + float(o) / 64;
      }
      const bool ends = age + 1 == 5 + float(lane);
      const bool terminated = ends && lane != 1;  // both flags count as terminated
      terminations += terminated;
      truncations += ends && !terminated;
      wrong_discounts += batch.discounts[i] != (terminated ? 0 : discount);
      const float target = now(batch.actions[i], i) - td[i];
      if (age > 0) largest_target = std::max(largest_target, std::abs(target));
    }
  }
  void conclude() const {
    CHECK(first_observations > 100);
    CHECK(terminations > 100);
    CHECK(truncations > 100);
    CHECK(past_the_reset == 0);
    CHECK(wrong_rows == 0);
    CHECK(wrong_discounts == 0);
    CHECK(largest_target > 0);
    CHECK(largest_target < 10);  // Q of observations up to 8 in a network as it was drawn
  }
};

template <class B, int O>
void drive_by_steps() {
  using Environments = env::Host<Shouting<O>>;
  auto agent = make_agent<B, O>();
  Shouting<O> simulator, untouched;
  polyq::Steps<AgentOf<B, O>, Environments> steps(agent, {&simulator, &untouched}, 100);
  Watcher<AgentOf<B, O>> watcher{agent};
  for (int i = 0; i < 20; ++i) steps.act();
  for (int i = 0; i < 180; ++i) {
    steps.act_and_update();
    watcher.look();
  }
  watcher.conclude();
  CHECK(simulator.steps == 200);
  CHECK(test::clock_of(agent).env_steps == 600);
  CHECK(test::clock_of(agent).updates == 180);
  CHECK(untouched.steps == 0);
  CHECK(untouched.resets == 0);
}

template <class B, int O>
void drive_by_train() {
  auto agent = make_agent<B, O>();
  Shouting<O> training, evaluating;
  Watcher<AgentOf<B, O>> watcher{agent};
  struct Look {
    Watcher<AgentOf<B, O>>& watcher;
    void on_chunk(const polyq::Chunk& chunk) {
      if (chunk.updates > 0) watcher.look();
    }
  } look{watcher};
  polyq::train(agent, env::Host{&training, &evaluating},
               {.env_steps = 900,
                .warm_up_env_steps = 60,
                .evaluation_period_env_steps = 300,
                .select_episodes = 4,
                .report_episodes = 4,
                .chunk_env_steps = 3},
               look);
  watcher.conclude();
}

}  // namespace

TEST_CASE_TEMPLATE("the concept takes a user's simulator, and no broken one", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  static_assert(env::HostEnvironment<Shouting<4>>);
  static_assert(env::HostEnvironment<Stateless>);
  static_assert(!env::HostEnvironment<Unresettable>);
  static_assert(!env::HostEnvironment<Uncounted>);
  static_assert(!env::HostEnvironment<int>);
  static_assert(env::goal_of<env::Host<Stateless>::Source>()->stop == 4);
  static_assert(!env::goal_of<env::Host<Shouting<4>>::Source>());
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, 18, 3>;
  static_assert(env::EnvironmentsOn<env::Host<Shouting<18>>, Machine, Observations>);
  static_assert(!env::Host<Stateless>::recordable);
}

TEST_CASE_TEMPLATE("no stored s' and no target reads past a reset, driven by Steps", B,
                   POLYQ_BACKENDS) {
  drive_by_steps<B, 4>();   // as long as its column
  drive_by_steps<B, 18>();  // its column ends in pads on EigenCpu
}

TEST_CASE_TEMPLATE("no stored s' and no target reads past a reset, driven by train", B,
                   POLYQ_BACKENDS) {
  drive_by_train<B, 4>();
  drive_by_train<B, 18>();
}

TEST_CASE_TEMPLATE("only ended lanes are reset, each from a seed of its own", B, POLYQ_BACKENDS) {
  auto agent = make_agent<B, 4>();
  Shouting<4> simulator, untouched;
  polyq::Actor actor(agent, env::Host{&simulator, &untouched});
  CHECK(simulator.resets == 3);
  for (int i = 0; i < 210; ++i) actor.enqueue_step();
  CHECK(simulator.wrongly_reset == 0);
  CHECK(simulator.resets == 3 + 210 / 5 + 210 / 6 + 210 / 7);
  const std::set<std::uint64_t> different(simulator.seeds.begin(), simulator.seeds.end());
  CHECK(different.size() == simulator.seeds.size());

  Shouting<4> again, other;
  auto same_agent = make_agent<B, 4>();
  polyq::Actor same(same_agent, env::Host{&again, &untouched});
  for (int i = 0; i < 210; ++i) same.enqueue_step();
  CHECK(again.seeds == simulator.seeds);
  CHECK(again.actions == simulator.actions);
  AgentOf<B, 4> other_agent(B{}, {}, {.capacity = 300}, adam, {.discount = discount, .seed = 5});
  polyq::Actor actor_of_another_seed(other_agent, env::Host{&other, &untouched});
  CHECK(other.seeds[0] != simulator.seeds[0]);
}

TEST_CASE_TEMPLATE("no two resets share a seed, though every step ends", B, POLYQ_BACKENDS) {
  struct Brief : Stateless {
    std::vector<std::uint64_t> seeds;
    void step(std::span<const std::int32_t>, std::span<float>, std::span<env::Outcome> outcomes) {
      for (env::Outcome& outcome : outcomes) outcome = {1, true, false};
    }
    void reset(std::span<const std::uint8_t>, std::span<const std::uint64_t> lane_seeds,
               std::span<float>) {
      seeds.insert(seeds.end(), lane_seeds.begin(), lane_seeds.end());
    }
  } simulator, untouched;
  AgentOf<B, 1> agent(B{}, {}, {.capacity = 300}, adam, {.seed = 4});
  polyq::Actor actor(agent, env::Host<Brief>{&simulator, &untouched});
  for (int i = 0; i < 50; ++i) actor.enqueue_step();
  CHECK(simulator.seeds.size() == 2 * 51);
  CHECK(std::set<std::uint64_t>(simulator.seeds.begin(), simulator.seeds.end()).size() == 2 * 51);
}

TEST_CASE_TEMPLATE("a seed draws the same simulator seeds on every backend", B, POLYQ_BACKENDS) {
  auto agent = make_agent<B, 4>();
  auto oracle_agent = make_agent<polyq::backend::Reference, 4>();
  Shouting<4> simulator, oracle, untouched;
  polyq::Actor actor(agent, env::Host{&simulator, &untouched});
  polyq::Actor oracle_actor(oracle_agent, env::Host{&oracle, &untouched});
  for (int i = 0; i < 20; ++i) {
    actor.enqueue_step();
    oracle_actor.enqueue_step();
  }
  CHECK(simulator.seeds == oracle.seeds);
}

TEST_CASE_TEMPLATE("evaluation uses the second simulator and leaves the first alone", B,
                   POLYQ_BACKENDS) {
  const auto run = [](std::uint64_t period, Shouting<4>& training, Shouting<4>& evaluating) {
    auto agent = make_agent<B, 4>();
    const polyq::TrainResult result = polyq::train(agent, env::Host{&training, &evaluating},
                                                   {.env_steps = 600,
                                                    .warm_up_env_steps = 60,
                                                    .evaluation_period_env_steps = period,
                                                    .select_episodes = 6,
                                                    .report_episodes = 3});
    CHECK(result.env_steps == 600);
    return agent.parameters();
  };
  Shouting<4> training, evaluating, alone, reporting;
  const std::vector<float> parameters = run(30, training, evaluating);
  CHECK(parameters == run(0, alone, reporting));
  CHECK(training.steps == 200);
  CHECK(training.actions == alone.actions);
  CHECK(training.seeds == alone.seeds);
  CHECK(training.wrongly_reset == 0);
  CHECK(evaluating.resets > reporting.resets);
  CHECK(evaluating.steps > reporting.steps);
  std::set<std::uint64_t> seeds(training.seeds.begin(), training.seeds.end());
  for (const std::uint64_t seed : evaluating.seeds) CHECK(seeds.count(seed) == 0);

  CHECK(env::Host{&training, &evaluating}.evaluation().training == &evaluating);
}

TEST_CASE_TEMPLATE("training and evaluation need a simulator each", B, POLYQ_BACKENDS) {
  const auto refusal = [](env::Host<Shouting<4>> host) -> std::string {
    auto agent = make_agent<B, 4>();
    try {
      polyq::Actor actor(agent, host);
    } catch (const polyq::SettingsError& error) {
      return error.what();
    }
    return "nothing";
  };
  Shouting<4> training, evaluating;
  CHECK(refusal({&training, &evaluating}) == "nothing");
  CHECK(refusal({nullptr, &evaluating}) == "polyq: Host.training = null; allowed: a simulator");
  CHECK_THROWS_WITH_AS((env::Host<Shouting<4>>{&training, nullptr}.evaluation()),
                       "polyq: Host.evaluating = null; allowed: a simulator", polyq::SettingsError);
  CHECK(refusal({&training, &training}) ==
        "polyq: Host.evaluating = the training simulator; allowed: another one, since greedy "
        "episodes must not disturb training");
}

TEST_CASE_TEMPLATE("a simulator's masks train to the bits of the environment it simulates", B,
                   POLYQ_BACKENDS) {
  constexpr int A = 40, N = 3;
  using Agent = polyq::Dqn<B, polyq::nn::Mlp<3, A>, polyq::replay::Uniform<32>, polyq::optim::Adam>;
  static_assert(env::Host<test::SimulatedMasked<A, N>>::masked && !env::Host<Shouting<4>>::masked);
  const polyq::DqnSettings settings{.discount = discount, .seed = 4, .exploration = .5f};
  const polyq::TrainSettings thousand{.env_steps = 900,
                                      .warm_up_env_steps = 60,
                                      .evaluation_period_env_steps = 300,
                                      .select_episodes = 4,
                                      .report_episodes = 4,
                                      .chunk_env_steps = 300};
  Agent pure(B{}, {}, {.capacity = 900}, adam, settings);
  Agent hosted(B{}, {}, {.capacity = 900}, adam, settings);
  test::SimulatedMasked<A, N> training, evaluating;
  const auto expected = polyq::train(pure, env::Vectorized<test::Masked<A>, N>{}, thousand);
  const auto result = polyq::train(hosted, env::Host{&training, &evaluating}, thousand);
  CHECK(hosted.parameters() == pure.parameters());
  CHECK(result.training_return == expected.training_return);
  CHECK(result.training_return == 7);  // one of the seven rewards would be -1000
  CHECK(result.best.mean == 7);
  CHECK(result.last.mean == 7);
}
