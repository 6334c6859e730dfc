// SPDX-License-Identifier: MIT
// Shards: the same parameters bit for bit on 1, 2 and 4 ranks, fast near reproducible, the gradient
// of shards that of one large batch, and a fault of one rank told on all.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <polyq/comm/threads.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "comm/faulty_ranks.hpp"

namespace {

using polyq::DqnSettings;
using polyq::Reduction;
using polyq::comm::Threads;
using Network = polyq::nn::Mlp<4, 18, 2>;
using Optimizer = polyq::optim::Clipped<polyq::optim::Adam>;
constexpr int N = 2;
using Environments = polyq::env::Vectorized<polyq::env::CartPole, N>;

template <class B>
using Agent = polyq::Dqn<B, Network, polyq::replay::Uniform<7>, Optimizer,
                         polyq::rule::DoubleQLearning<>, Threads>;
template <class B>
Agent<B> make_agent(const Threads& ranks, const DqnSettings& settings, float max_norm = 1) {
  return Agent<B>(B{}, {}, {.capacity = 800}, {{.rate = .01f}, max_norm}, settings, {}, ranks);
}

/// Sound in training; in evaluation the second ten episodes of a set observe what is not a number.
struct Brittle {
  static constexpr const char* name = "Brittle";
  static constexpr int observation_size = 4, action_count = 2;
  struct State {
    bool broken;
    int steps;
  };
  POLYQ_HD State reset(polyq::core::Random random) const {
    const std::uint64_t set = random.step >> 56,
                        step = random.step & ((std::uint64_t{1} << 56) - 1);
    return {set > 0 && step >= 10'000'000, 0};
  }
  POLYQ_HD polyq::env::Outcome step(State& state, std::int32_t, polyq::core::Random) const {
    return {1, ++state.steps == 5, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    for (int o = 0; o < 4; ++o) out[o] = state.broken ? NAN : 1.f;
  }
};

/// What a run leaves, by rank 0; all ranks hold the same.
struct Left {
  std::vector<float> parameters;
  polyq::TrainResult result;
};
template <class B>
Left trained(int ranks, const DqnSettings& settings) {
  Left left;
  Threads::run(ranks, [&](const Threads& threads) {
    Agent<B> agent = make_agent<B>(threads, settings);
    const polyq::TrainResult result = polyq::train(agent, Environments{},
                                                   {.env_steps = 1'600,
                                                    .warm_up_env_steps = 160,
                                                    .train_period_env_steps = 8,
                                                    .evaluation_period_env_steps = 800,
                                                    .report_episodes = 25,
                                                    .chunk_env_steps = 400});
    if (threads.rank() == 0) left = {agent.parameters(), result};
  });
  return left;
}

/// Fifty updates of four shards from frozen replays, on as many ranks as said.
template <class B>
std::vector<float> updated(int ranks, const DqnSettings& settings) {
  std::vector<float> parameters;
  Threads::run(ranks, [&](const Threads& threads) {
    Agent<B> agent = make_agent<B>(threads, settings);
    polyq::Actor actor(agent, Environments{});
    for (int step = 0; step < 50; ++step) actor.enqueue_step();
    for (int update = 0; update < 50; ++update) agent.update();
    if (threads.rank() == 0) parameters = agent.parameters();
  });
  return parameters;
}

}  // namespace

TEST_CASE_TEMPLATE("reproducible: 1, 2 and 4 ranks leave the same bits and the same account", B,
                   POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    const DqnSettings settings{.reduction = Reduction::reproducible, .shards = 4};
    const Left alone = trained<B>(1, settings);
    CHECK(alone.result.updates == (1'600 - 1 - 160) / 8);
    CHECK(alone.result.episodes > 10);
    for (const int ranks : {2, 4}) {
      CAPTURE(ranks);
      const Left many = trained<B>(ranks, settings);
      CHECK(many.parameters == alone.parameters);
      CHECK(many.result.best_parameters == alone.result.best_parameters);
      CHECK(many.result.env_steps == alone.result.env_steps);
      CHECK(many.result.updates == alone.result.updates);
      CHECK(many.result.episodes == alone.result.episodes);
      CHECK(many.result.training_return == alone.result.training_return);
      CHECK(many.result.best.mean == alone.result.best.mean);
      CHECK(many.result.last.mean == alone.result.last.mean);
      CHECK(many.result.largest_value == alone.result.largest_value);
      CHECK(many.result.value_bound == alone.result.value_bound);
    }
  }
}

TEST_CASE_TEMPLATE("fast on 4 ranks is near reproducible with 4 shards on one", B, POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    const std::vector<float> fast = updated<B>(4, {});
    const std::vector<float> tree =
        updated<B>(1, {.reduction = Reduction::reproducible, .shards = 4});
    float worst = 0;
    for (std::size_t i = 0; i < fast.size(); ++i)
      worst = std::max(worst, std::abs(fast[i] - tree[i]));
    CHECK(worst <= 1e-6f);
    const std::vector<float> alone = updated<B>(1, {});
    CHECK(alone != fast);  // one shard is another run
  }
}

TEST_CASE_TEMPLATE("one shard on Threads is the agent of comm::None, bit for bit", B,
                   POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    polyq::Dqn none(B{}, Network{}, polyq::replay::Uniform<7>{.capacity = 100},
                    polyq::optim::Adam{});
    polyq::Dqn threads(B{}, Network{}, polyq::replay::Uniform<7>{.capacity = 100},
                       polyq::optim::Adam{}, {}, polyq::rule::QLearning{}, Threads{});
    polyq::Actor none_actor(none, Environments{});
    polyq::Actor threads_actor(threads, Environments{});
    for (int step = 0; step < 100; ++step) {
      none_actor.enqueue_step();
      threads_actor.enqueue_step();
      none.update();
      threads.update();
    }
    CHECK(none.parameters() == threads.parameters());
  }
}

TEST_CASE_TEMPLATE("the shards' gradients are summed to the mean over all their samples", B,
                   POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    const DqnSettings two{.reduction = Reduction::reproducible, .shards = 2};
    Agent<B> agent = make_agent<B>(Threads{}, two, 1e6f);  // clips nothing
    polyq::Actor actor(agent, Environments{});
    for (int step = 0; step < 40; ++step) actor.enqueue_step();
    agent.update();
    auto& machine = agent.machine();
    const auto first = test::downloaded(machine, agent.shards()[0].batch());
    const auto second = test::downloaded(machine, agent.shards()[1].batch());
    CHECK(first.rows != second.rows);  // each draws for itself
    CHECK(agent.shards()[1].number() == 1);
    // dL/d(bias of an action) = Σ over the samples of that action of δ's slope, 2 δ / (B V).
    double expected = 0;
    for (int i = 0; i < 2; ++i) {
      const auto batch = i == 0 ? first : second;
      const std::vector<float> td = test::downloaded(machine, agent.shards()[i].td(), 7);
      for (int b = 0; b < 7; ++b)
        if (batch.actions[b] == 1) expected += 2 * double(td[std::size_t(b)]) / 14;
    }
    const double gradient = agent.parameters(agent.gradient()).back();
    CHECK(gradient == doctest::Approx(expected).epsilon(1e-5));
    CHECK(std::abs(gradient) > .01);
  }
}

TEST_CASE("what one rank meets in its part of an evaluation reaches all, and is thrown on") {
  const std::string fault =
      "polyq: environment Brittle, lane 0, env step 1: observation[0] = nan; allowed: finite "
      "numbers";
  std::string told_to_0;
  const auto run = [&] {
    Threads::run(2, [&](const Threads& threads) {
      auto agent = make_agent<polyq::backend::Reference>(threads, {});
      try {
        polyq::train(agent, polyq::env::Vectorized<Brittle, N>{},
                     {.env_steps = 400,
                      .warm_up_env_steps = 40,
                      .train_period_env_steps = 40,
                      .evaluation_period_env_steps = 200,
                      .select_episodes = 20});
      } catch (const polyq::CommError& error) {
        told_to_0 = error.what();
        throw;
      }
    });
  };
  CHECK_THROWS_WITH_AS(run(), fault.c_str(), polyq::EnvironmentError);
  CHECK(told_to_0.ends_with(": rank 1 gave up: " + fault));
}

namespace {

using Faulty = test::Faulty<Threads>;

/// What becomes of a run of two ranks where rank 1 has a fault at an operation.
struct Faced {
  std::vector<float> parameters;          // of rank 0, where the run came to its end
  std::vector<std::string> told{"", ""};  // each rank, where it did not
};
Faced faced(std::uint64_t operation, const test::Fault<Threads>& fault) {
  Faced faced;
  const auto run = [&](const Threads& threads) {
    const auto rank = std::size_t(threads.rank());
    const Faulty ranks(threads, 1, operation, fault);
    try {
      polyq::Dqn agent(polyq::backend::Reference{}, Network{},
                       polyq::replay::Uniform<7>{.capacity = 800}, polyq::optim::Adam{}, {},
                       polyq::rule::QLearning{}, ranks);
      polyq::train(agent, Environments{},
                   {.env_steps = 400,
                    .warm_up_env_steps = 40,
                    .train_period_env_steps = 20,
                    .evaluation_period_env_steps = 200,
                    .report_episodes = 4,
                    .chunk_env_steps = 100});
      if (rank == 0) faced.parameters = agent.parameters();
    } catch (const std::exception& error) {
      faced.told[rank] = error.what();
      throw;
    }
  };
  try {
    Threads::run(2, run, polyq::comm::Deadline(1));
  } catch (const std::exception& error) {
    CHECK(std::count(faced.told.begin(), faced.told.end(), error.what()) > 0);
  }
  return faced;
}

}  // namespace

TEST_CASE("a fault at any operation of a run is told on all ranks; a short delay changes nothing") {
  const Faced sound = faced(0, test::error("never"));
  CHECK(!sound.parameters.empty());
  for (const std::uint64_t operation : {1, 2, 3, 9, 20}) {
    CAPTURE(operation);
    const std::string number = "(operation " + std::to_string(operation) + ")";
    CHECK(faced(operation, test::late(polyq::comm::Deadline(.05))).parameters == sound.parameters);

    const Faced failed = faced(operation, test::error("no luck"));
    CHECK(failed.told[0].ends_with(number + ": rank 1 gave up: no luck"));
    CHECK(failed.told[1] == "no luck");

    const Faced stalled = faced(operation, test::late(polyq::comm::Deadline(1.2)));
    CHECK(stalled.told[0].find(number + " waited 1") != std::string::npos);
    CHECK(stalled.told[0].find("missing: rank 1") != std::string::npos);
    CHECK(stalled.told[1].find(number + " began beyond the deadline") != std::string::npos);
  }
}

TEST_CASE("capacity is the run's, each shard has its part") {
  Agent<polyq::backend::Reference> agent = make_agent<polyq::backend::Reference>(
      Threads{}, {.reduction = Reduction::reproducible, .shards = 4});
  CHECK(agent.sharding().hosted == 4);
  const auto refused = [](std::int64_t capacity) {
    Agent<polyq::backend::Reference>({}, {}, {.capacity = capacity}, {},
                                     {.reduction = Reduction::reproducible}, {}, Threads{});
  };
  CHECK_THROWS_WITH_AS(
      refused(27),
      "polyq: Uniform.capacity = 27; allowed: [28 (the batches of all shards), 17179869180]",
      polyq::SettingsError);
  CHECK_THROWS_WITH_AS(
      refused(30), "polyq: Uniform.capacity = 30; allowed: a multiple of the number of shards, 4",
      polyq::SettingsError);
}
