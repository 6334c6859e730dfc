// SPDX-License-Identifier: MIT
// Evaluator: greedy returns that are known; sets of seeds that are repeatable and never meet, nor
// touch training; an episode that does not end is an error.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/dqn.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/evaluate.hpp>
#include <polyq/train/train.hpp>
#include <set>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "masked.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
using polyq::SeedSet;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// An episode of 1 to 8 steps whose last one wins a prize in [0, 1), both drawn at the reset, and
/// 100 for each time that action 1 was taken. Every other one is truncated.
struct Lottery {
  static constexpr const char* name = "Lottery";
  static constexpr int observation_size = 1, action_count = 2;
  struct State {
    float prize;
    int steps, length;
  };
  POLYQ_HD State reset(core::Random random) const {
    const core::Words words = random.words();
    return {core::uniform(words.word[1]), 0, 1 + int(core::below(words.word[0], 8))};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    const bool ends = ++state.steps == state.length;
    const bool truncates = state.length % 2 == 0;
    return {(ends ? state.prize : 0) + float(100 * action), ends && !truncates, ends && truncates};
  }
  POLYQ_HD void observe(const State& state, float* out) const { out[0] = float(state.steps) / 8; }
};

struct Endless : Lottery {
  static constexpr const char* name = "Endless";
  POLYQ_HD env::Outcome step(State&, std::int32_t, core::Random) const { return {1, false, false}; }
};

/// Its third step gives a reward that is not a number.
struct Broken : Lottery {
  static constexpr const char* name = "Broken";
  POLYQ_HD env::Outcome step(State& state, std::int32_t, core::Random) const {
    return {++state.steps == 3 ? not_a_number : 1.f, false, state.steps == 5};
  }
};

/// It begins with an observation that is not a number, and never shows another.
struct BrokenStart : Lottery {
  static constexpr const char* name = "BrokenStart";
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = state.steps == 0 ? not_a_number : 1.f;
  }
};

using Network = polyq::nn::Mlp<1, 2>;
template <class B>
using AgentOf = polyq::Dqn<B, Network, polyq::replay::Uniform<8>, polyq::optim::Sgd>;

/// An agent whose greedy action is the same everywhere: weights 0, and a bias for the action.
template <class B>
struct Always : AgentOf<B> {
  explicit Always(int action, std::uint64_t seed = 1)
      : AgentOf<B>(B{}, {}, {.capacity = 1'000}, {.rate = .01f}, {.seed = seed}) {
    this->set_parameters(std::vector<float>{0, 0, float(action == 0), float(action == 1)});
  }
};

/// The return of each of the first episodes of a set, from the scores of the first 1, 2, …
/// episodes.
template <class E>
std::vector<double> returns(E& evaluator, SeedSet set, int episodes, const float* parameters) {
  std::vector<double> each;
  double sum = 0;
  for (int n = 1; n <= episodes; ++n) {
    const double total = evaluator.score(set, n, parameters).mean * n;
    each.push_back(total - sum);
    sum = total;
  }
  return each;
}

template <class B, int N>
using LotteryEvaluator = polyq::Evaluator<AgentOf<B>, env::Vectorized<Lottery, N>>;

}  // namespace

TEST_CASE_TEMPLATE("the sets' seeds are repeatable and never meet", B, POLYQ_BACKENDS) {
  Always<B> agent(0);
  LotteryEvaluator<B, 10> evaluator(agent, {});
  std::set<std::int64_t> prizes;
  for (const SeedSet set : {SeedSet::select, SeedSet::stop, SeedSet::report}) {
    const std::vector<double> first = returns(evaluator, set, 35, agent.online());
    CHECK(returns(evaluator, set, 35, agent.online()) == first);
    // A prize has 24 bits; differences of sums up to 35 leave it to within 1e-13.
    for (const double prize : first) {
      CHECK(prize >= 0);
      CHECK(prize < 1);
      prizes.insert(std::llround(prize * 0x1p24));
    }
  }
  CHECK(prizes.size() == 3 * 35);  // by chance two would be equal in one run of 3 000
}

TEST_CASE_TEMPLATE("a score is of the first episodes, also where they leave lanes over", B,
                   POLYQ_BACKENDS) {
  Always<B> agent(0);
  LotteryEvaluator<B, 10> evaluator(agent, {});
  const std::vector<double> each = returns(evaluator, SeedSet::report, 23, agent.online());
  double sum = 0, squares = 0;
  for (const double r : each) sum += r;
  for (const double r : each) squares += (r - sum / 23) * (r - sum / 23);
  const polyq::Score score = evaluator.score(SeedSet::report, 23, agent.online());
  CHECK(score.episodes == 23);
  // Doubles: rounding of some twenty additions.
  CHECK(score.mean == doctest::Approx(sum / 23).epsilon(1e-12));
  CHECK(score.deviation == doctest::Approx(std::sqrt(squares / 22)).epsilon(1e-9));
  CHECK(evaluator.score(SeedSet::report, 1, agent.online()).deviation == 0);
}

TEST_CASE_TEMPLATE("the returns are those of the reset's draws, the first episode of each lane", B,
                   POLYQ_BACKENDS) {
  Always<B> agent(1);
  LotteryEvaluator<B, 10> evaluator(agent, {});
  // What Evaluator promises: its own seed from the agent's, waves of ten from env step
  // set · 2^56 + episodes done · 10^6 on.
  const core::Words seed = core::philox(1, core::Stream::evaluation, 0, 0);
  const std::uint64_t own = std::uint64_t{seed.word[1]} << 32 | seed.word[0];
  const std::vector<double> each = returns(evaluator, SeedSet::stop, 15, agent.online());
  for (int i = 0; i < 15; ++i) {
    const std::uint64_t first = (std::uint64_t(SeedSet::stop) << 56) + i / 10 * 10'000'000;
    const Lottery::State start =
        Lottery{}.reset({own, core::Stream::environment_reset, first, std::uint32_t(i % 10)});
    const float last_reward = start.prize + 100;
    // The scores' sums of up to 1e4 are doubles: rounded by 1e-12.
    CHECK(std::abs(each[i] - (100 * (start.length - 1) + double(last_reward))) < 1e-11);
  }
}

TEST_CASE_TEMPLATE("actions are the greedy ones of the parameters that are given", B,
                   POLYQ_BACKENDS) {
  Always<B> agent(0);
  Always<B> other(1);
  LotteryEvaluator<B, 10> evaluator(agent, {});
  // An evaluator reads the memory of its own machine.
  const auto given = test::uploaded(
      agent.machine(), test::downloaded(other.machine(), other.online(), AgentOf<B>::P));
  CHECK(evaluator.score(SeedSet::select, 10, agent.online()).mean < 1);
  CHECK(evaluator.score(SeedSet::select, 10, given.get()).mean > 100);
  CHECK(evaluator.score(SeedSet::select, 10, agent.online()).mean < 1);
  CHECK(test::clock_of(agent).env_steps == 0);
}

TEST_CASE_TEMPLATE("another seed of the agent evaluates on other seeds", B, POLYQ_BACKENDS) {
  Always<B> agent(0, 1), other(0, 2);
  LotteryEvaluator<B, 10> evaluator(agent, {}), others(other, {});
  CHECK(evaluator.score(SeedSet::report, 10, agent.online()).mean !=
        others.score(SeedSet::report, 10, other.online()).mean);
}

TEST_CASE_TEMPLATE("scores are equal on every backend", B, POLYQ_BACKENDS) {
  Always<B> agent(1);
  Always<polyq::backend::Reference> oracle_agent(1);
  LotteryEvaluator<B, 10> evaluator(agent, {});
  LotteryEvaluator<polyq::backend::Reference, 10> oracle(oracle_agent, {});
  const polyq::Score score = evaluator.score(SeedSet::report, 25, agent.online());
  const polyq::Score expected = oracle.score(SeedSet::report, 25, oracle_agent.online());
  CHECK(score.mean == expected.mean);
  CHECK(score.deviation == expected.deviation);
}

TEST_CASE_TEMPLATE("training does not notice whether it is evaluated", B, POLYQ_BACKENDS) {
  const auto run = [](std::uint64_t period) {
    AgentOf<B> agent(B{}, {}, {.capacity = 1'000}, {.rate = .001f}, {.seed = 3});
    const polyq::TrainResult result = polyq::train(agent, Lottery{},
                                                   {.env_steps = 2'000,
                                                    .warm_up_env_steps = 100,
                                                    .evaluation_period_env_steps = period,
                                                    .select_episodes = 7,
                                                    .report_episodes = 3});
    CHECK(result.updates == 1'899);
    return agent.parameters();
  };
  const std::vector<float> never = run(0);
  CHECK(run(500) == never);
  CHECK(run(20) == never);
}

TEST_CASE_TEMPLATE("an episode that does not end is an error that names the environment", B,
                   POLYQ_BACKENDS) {
  Always<B> agent(0);
  polyq::Evaluator<AgentOf<B>, env::Vectorized<Endless, 1>> evaluator(agent, {});
  std::string message = "nothing was thrown";
  try {
    evaluator.score(SeedSet::select, 1, agent.online());
  } catch (const polyq::EnvironmentError& error) {
    message = error.what();
  }
  CHECK(message ==
        "polyq: environment Endless: a greedy episode did not end within 1000000 steps; let it "
        "truncate");
}

TEST_CASE_TEMPLATE("a number that is not finite is named, and decides nothing", B, POLYQ_BACKENDS) {
  Always<B> agent(0);
  polyq::Evaluator<AgentOf<B>, env::Vectorized<Broken, 2>> evaluator(agent, {});
  CHECK_THROWS_WITH_AS(evaluator.score(SeedSet::select, 2, agent.online()),
                       "polyq: environment Broken, lane 0, env step 3: reward = nan; allowed: "
                       "finite numbers",
                       polyq::EnvironmentError);
}

TEST_CASE_TEMPLATE("an episode's first observation is looked at too", B, POLYQ_BACKENDS) {
  Always<B> agent(0);
  polyq::Evaluator<AgentOf<B>, env::Vectorized<BrokenStart, 2>> evaluator(agent, {});
  CHECK_THROWS_WITH_AS(evaluator.score(SeedSet::select, 2, agent.online()),
                       "polyq: environment BrokenStart, lane 0, env step 1: observation[0] = nan; "
                       "allowed: finite numbers",
                       polyq::EnvironmentError);
}

namespace {

constexpr int masked_actions = 40;

/// Prefers every action to those before it, at every state.
template <class B>
struct Ranking : polyq::Dqn<B, polyq::nn::Mlp<3, masked_actions>, polyq::replay::Uniform<8>,
                            polyq::optim::Sgd> {
  using Agent = polyq::Dqn<B, polyq::nn::Mlp<3, masked_actions>, polyq::replay::Uniform<8>,
                           polyq::optim::Sgd>;
  Ranking() : Agent(B{}, {}, {.capacity = 1'000}, {}) {
    std::vector<float> parameters(3 * masked_actions);
    for (int a = 0; a < masked_actions; ++a) parameters.push_back(float(a));
    this->set_parameters(parameters);
  }
};
template <class B>
using MaskedEvaluator =
    polyq::Evaluator<typename Ranking<B>::Agent, env::Vectorized<test::Masked<masked_actions>, 10>>;

}  // namespace

TEST_CASE_TEMPLATE("only legal actions are taken, the best of them", B, POLYQ_BACKENDS) {
  Ranking<B> agent;
  MaskedEvaluator<B> evaluator(agent, {});
  const polyq::Score score = evaluator.score(SeedSet::report, 25, agent.online());
  CHECK(score.mean == 7);  // one of the seven rewards would be -1000
  CHECK(score.deviation == 0);
}

TEST_CASE_TEMPLATE("a state without a legal action is named, at the start and later", B,
                   POLYQ_BACKENDS) {
  const auto message = [](std::uint32_t lane, int age) -> std::string {
    Ranking<B> agent;
    MaskedEvaluator<B> evaluator(agent, {{.stuck_lane = lane, .stuck_age = age}});
    try {
      evaluator.score(SeedSet::select, 10, agent.online());
    } catch (const polyq::EnvironmentError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  const std::string none = ": legal actions = none; allowed: at least one";
  CHECK(message(7, 0) == "polyq: environment Masked, lane 7, env step 1" + none);
  CHECK(message(2, 3) == "polyq: environment Masked, lane 2, env step 3" + none);
  CHECK(message(2, 7) == "nothing was thrown");  // where the episode is over
}
