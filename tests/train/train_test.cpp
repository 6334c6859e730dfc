// SPDX-License-Identifier: MIT
// train: why a run ends, which agent it keeps, what it tells observers, what it refuses; a run can
// be continued, and its bits depend on nothing but its seed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/greedy.hpp>
#include <polyq/env/host.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <span>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "masked.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
using polyq::Ending;
using polyq::TrainResult;
using polyq::TrainSettings;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Five steps, each rewarded by 1 where action 1 is taken. One reward of one lane can be spoilt.
struct Lever {
  static constexpr const char* name = "Lever";
  static constexpr int observation_size = 1, action_count = 2;
  std::uint32_t spoilt_lane = 0;
  std::uint64_t spoilt_env_step = ~std::uint64_t{0};  // of the run, from 0
  float spoilt_reward = 0;

  struct State {
    int steps;
  };
  POLYQ_HD State reset(core::Random) const { return {0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random random) const {
    ++state.steps;
    const bool spoilt = random.step == spoilt_env_step && random.lane == spoilt_lane;
    return {spoilt ? spoilt_reward : float(action), state.steps == 5, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const { out[0] = float(state.steps) / 8; }
};

/// The same behind a simulator's interface.
struct SimulatedLever {
  static constexpr const char* name = "simulated Lever";
  static constexpr int count = 4, observation_size = 1, action_count = 2;
  Lever::State states[count] = {};

  void step(std::span<const std::int32_t> actions, std::span<float> next,
            std::span<env::Outcome> outcomes) {
    for (int e = 0; e < count; ++e) {
      outcomes[e] = Lever{}.step(states[e], actions[e], {});
      Lever{}.observe(states[e], &next[e]);
    }
  }
  void reset(std::span<const std::uint8_t> ended, std::span<const std::uint64_t>,
             std::span<float> observations) {
    for (int e = 0; e < count; ++e) {
      if (!ended[e]) continue;
      states[e] = {0};
      Lever{}.observe(states[e], &observations[e]);
    }
  }
};

/// Learns nothing: one parameter has a given value from one update to another, and else another.
struct Script {
  std::size_t index = 0;
  std::uint64_t from = 0, until = 0;
  float inside = 1, outside = -1;

  template <class Machine, class Shapes>
  class On;
};
struct WriteScript {
  Script script;
  float* parameters;
  const core::Clock* clock;
  POLYQ_HD void operator()(std::int64_t) const {
    const std::uint64_t update = clock->updates + 1;
    parameters[script.index] =
        update >= script.from && update < script.until ? script.inside : script.outside;
  }
};

template <class Machine, class Shapes>
class Script::On {
 public:
  static constexpr std::size_t state_size = 0;
  On(const Script& script, float* /*state*/) : script_(script) {}
  template <class After>
  void step(Machine& machine, float* parameters, const float*, const core::Clock* clock,
            After after) {
    machine.for_each(1, WriteScript{script_, parameters, clock});
    machine.for_each_element(Shapes::P, after);
  }

 private:
  Script script_;
};

/// Q(action 1) − Q(action 0) is the bias that the script writes: its greedy return is 5 or 0.
template <class B>
struct Scripted : polyq::Dqn<B, polyq::nn::Mlp<1, 2>, polyq::replay::Uniform<8>, Script> {
  using Agent = polyq::Dqn<B, polyq::nn::Mlp<1, 2>, polyq::replay::Uniform<8>, Script>;

  explicit Scripted(std::uint64_t from, std::uint64_t until, float inside = 1, float outside = -1)
      : Agent(B{}, {}, {.capacity = 4'000}, {bias(), from, until, inside, outside}) {
    this->set_parameters(std::vector<float>(4));
  }
  static std::size_t bias() {
    return Agent::NetworkType::template blocks<typename Agent::Storage>()[1].at(1, 0);
  }
};

template <class B>
using Learner =
    polyq::Dqn<B, polyq::nn::Mlp<1, 8, 2>, polyq::replay::Uniform<8>, polyq::optim::Sgd>;

/// Keeps every chunk; ends the run at an env step.
struct Diary {
  std::uint64_t stop_at = ~std::uint64_t{0};
  std::vector<polyq::Chunk> chunks = {};
  std::uint64_t episodes = 0;
  std::vector<polyq::Evaluation> evaluations = {};

  void on_evaluation(const polyq::Evaluation& evaluation) { evaluations.push_back(evaluation); }
  bool on_chunk(const polyq::Chunk& chunk) {
    chunks.push_back(chunk);
    episodes += chunk.episodes.size();
    chunks.back().episodes = {};
    return chunk.env_steps < stop_at;
  }
};

/// 1 000 env steps; the updates after done are done − 101; evaluated each 100 env steps.
TrainSettings thousand_steps() {
  TrainSettings settings;
  settings.env_steps = 1'000;
  settings.warm_up_env_steps = 100;
  settings.evaluation_period_env_steps = 100;
  settings.select_episodes = 2;
  settings.stop_episodes = 3;
  settings.report_episodes = 4;
  settings.chunk_env_steps = 100;
  return settings;
}

template <class Error, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE_TEMPLATE("a run without a goal uses its budget, and tells what it did", B,
                   POLYQ_BACKENDS) {
  Scripted<B> agent(0, 0);
  const TrainResult result = polyq::train(agent, Lever{}, thousand_steps());
  CHECK(result.ending == Ending::budget);
  CHECK(!result.solved);
  CHECK(result.env_steps == 1'000);
  CHECK(result.updates == 899);
  CHECK(result.episodes == 200);
  CHECK(result.seconds > 0);
  // ε falls to .9 over these steps: about half the actions are 1. The mean of a hundred returns
  // of five such actions has a deviation of .11; five of them.
  CHECK(std::abs(result.training_return - 2.5) < .6);
  CHECK(result.largest_value == 1);
  CHECK(result.value_bound == polyq::value_bound(1, .99f));
  CHECK(result.best.mean == 0);
  CHECK(result.best.episodes == 4);
  CHECK(result.last.mean == 0);
  CHECK(result.best_env_steps == 200);  // the first that was evaluated; later ones are no better
  CHECK(test::clock_of(agent).env_steps == 1'000);
  CHECK(test::clock_of(agent).updates == 899);
}

TEST_CASE_TEMPLATE("a run ends early once the goal is met", B, POLYQ_BACKENDS) {
  // From update 150 on every episode returns 5; 99 updates are done at 200, 199 at 300 env steps.
  TrainSettings settings = thousand_steps();
  settings.goal = env::Goal{.solved = 4, .stop = 5};
  SUBCASE("as soon as it is met") {
    Scripted<B> agent(150, 10'000);
    const TrainResult result = polyq::train(agent, Lever{}, settings);
    CHECK(result.ending == Ending::goal);
    CHECK(result.solved);
    CHECK(result.env_steps == 300);
    CHECK(result.updates == 199);
    CHECK(result.best_env_steps == 300);
    CHECK(result.best.mean == 5);
    CHECK(result.last.mean == 5);
    CHECK(result.best_parameters == agent.parameters());
  }
  SUBCASE("not where early stopping is off") {
    settings.early_stop = false;
    Scripted<B> agent(150, 10'000);
    const TrainResult result = polyq::train(agent, Lever{}, settings);
    CHECK(result.ending == Ending::budget);
    CHECK(result.solved);
    CHECK(result.env_steps == 1'000);
  }
  SUBCASE("not where it is solved but short of what stopping asks for") {
    settings.goal = env::Goal{.solved = 4, .stop = 5.5};
    Scripted<B> agent(150, 10'000);
    const TrainResult result = polyq::train(agent, Lever{}, settings);
    CHECK(result.ending == Ending::budget);
    CHECK(result.solved);
  }
  SUBCASE("never where it cannot be reached") {
    settings.goal = env::Goal{.solved = 6, .stop = 6};
    Scripted<B> agent(150, 10'000);
    const TrainResult result = polyq::train(agent, Lever{}, settings);
    CHECK(result.ending == Ending::budget);
    CHECK(!result.solved);
    CHECK(result.best.mean == 5);
  }
}

TEST_CASE_TEMPLATE("the best agent is kept, not the last", B, POLYQ_BACKENDS) {
  TrainSettings settings = thousand_steps();
  settings.early_stop = false;
  settings.goal = env::Goal{.solved = 5, .stop = 5};
  Scripted<B> agent(150, 350);  // good at 300 and 400 env steps, bad before and after
  SUBCASE("where it was evaluated") {
    Diary diary;
    const TrainResult result = polyq::train(agent, Lever{}, settings, diary);
    std::vector<double> told;  // at 200, 300, …: before, nothing is learned
    for (const polyq::Evaluation& evaluation : diary.evaluations) {
      CHECK(evaluation.env_steps == 200 + 100 * told.size());
      CHECK(evaluation.score.episodes == settings.select_episodes);
      told.push_back(evaluation.score.mean);
    }
    CHECK(told == std::vector<double>{0, 5, 5, 0, 0, 0, 0, 0, 0});
    CHECK(result.best.mean == 5);
    CHECK(result.best_env_steps == 300);
    CHECK(result.last.mean == 0);
    CHECK(result.solved);  // by the best
    CHECK(result.best_parameters == std::vector<float>{0, 0, 0, 1});
    CHECK(agent.parameters() == std::vector<float>{0, 0, 0, -1});
    agent.set_parameters(result.best_parameters);
    CHECK(polyq::Greedy(static_cast<typename Scripted<B>::Agent&>(agent))(
              std::array<float, 1>{.5f}) == 1);
  }
  SUBCASE("where nothing was evaluated the last is the best") {
    settings.evaluation_period_env_steps = 0;
    const TrainResult result = polyq::train(agent, Lever{}, settings);
    CHECK(result.best_env_steps == 1'000);
    CHECK(result.best.mean == 0);
    CHECK(result.best_parameters == agent.parameters());
    CHECK(!result.solved);
  }
}

TEST_CASE_TEMPLATE("observers see every chunk, and one of them can end the run", B,
                   POLYQ_BACKENDS) {
  TrainSettings settings = thousand_steps();
  settings.chunk_env_steps = 70;
  Scripted<B> agent(0, 10'000, .5f);
  Diary all, impatient{.stop_at = 300}, behind;
  SUBCASE("to the end") {
    const TrainResult result = polyq::train(agent, Lever{}, settings, all);
    // Chunks of 70 that also end where an evaluation is due.
    std::vector<std::uint64_t> ends;
    for (const polyq::Chunk& chunk : all.chunks) ends.push_back(chunk.env_steps);
    CHECK(ends == std::vector<std::uint64_t>{70,  100, 140, 200, 210, 280, 300,  350,
                                             400, 420, 490, 500, 560, 600, 630,  700,
                                             770, 800, 840, 900, 910, 980, 1'000});
    double seconds = 0;
    for (const polyq::Chunk& chunk : all.chunks) {
      CHECK(chunk.total_env_steps == 1'000);
      CHECK(chunk.updates == (chunk.env_steps > 100 ? chunk.env_steps - 101 : 0));
      CHECK(chunk.seconds >= seconds);
      CHECK(chunk.exploration == agent.exploration().at(chunk.env_steps));
      CHECK(chunk.largest_value == (chunk.updates > 1 ? .5f : 0));
      CHECK(chunk.value_bound == polyq::value_bound(1, .99f));
      seconds = chunk.seconds;
    }
    CHECK(all.episodes == 200);
    CHECK(all.chunks.back().training_return == result.training_return);
  }
  SUBCASE("one says no: all are told, and the run is reported") {
    const TrainResult result = polyq::train(agent, Lever{}, settings, all, impatient, behind);
    CHECK(result.ending == Ending::observer);
    CHECK(result.env_steps == 300);
    CHECK(result.updates == 199);
    CHECK(result.last.episodes == 4);
    CHECK(all.chunks.size() == 7);
    CHECK(impatient.chunks.size() == 7);
    CHECK(behind.chunks.size() == 7);
  }
}

TEST_CASE_TEMPLATE("a second run continues the agent", B, POLYQ_BACKENDS) {
  Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  Diary second;
  const TrainResult first = polyq::train(agent, Lever{}, thousand_steps());
  const std::vector<float> between = agent.parameters();
  CHECK(first.updates == 899);
  TrainSettings settings = thousand_steps();
  settings.env_steps = 500;
  const TrainResult result = polyq::train(agent, Lever{}, settings, second);
  CHECK(result.env_steps == 500);  // its own count
  CHECK(result.updates == 399);
  CHECK(result.episodes == 100);
  CHECK(test::clock_of(agent).env_steps == 1'500);
  CHECK(test::clock_of(agent).updates == 899 + 399);
  CHECK(agent.parameters() != between);
  CHECK(second.chunks.front().env_steps == 100);
  CHECK(second.chunks.front().exploration == agent.exploration().at(1'100));
  CHECK(second.episodes == 100);
  CHECK(message_of<polyq::SettingsError>([&] {
          polyq::train(agent, env::Vectorized<Lever, 4>{}, settings);
        }) == "polyq: environments of a replay attached before = 4; allowed: 1");
}

TEST_CASE_TEMPLATE("a chunk is no longer than the run", B, POLYQ_BACKENDS) {
  Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  TrainSettings settings = thousand_steps();
  settings.evaluation_period_env_steps = 0;
  settings.chunk_env_steps = std::uint64_t{1} << 40;  // a log of as many rows could not be had
  Diary diary;
  polyq::train(agent, Lever{}, settings, diary);
  CHECK(diary.chunks.size() == 1);
  CHECK(diary.chunks.front().env_steps == 1'000);
}

TEST_CASE_TEMPLATE("several environments, several updates at a time", B, POLYQ_BACKENDS) {
  Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  TrainSettings settings = thousand_steps();
  settings.updates_per_period = 2;
  settings.train_period_env_steps = 2;
  settings.chunk_env_steps = 70;  // 68 are a multiple of four
  Diary diary;
  const TrainResult result = polyq::train(agent, env::Vectorized<Lever, 4>{}, settings, diary);
  CHECK(result.env_steps == 1'000);
  CHECK(result.updates == 2 * 449);
  CHECK(test::clock_of(agent).env_steps == 1'000);
  CHECK(test::clock_of(agent).updates == 2 * 449);
  CHECK(result.episodes == 200);
  CHECK(diary.episodes == 200);
  CHECK(diary.chunks.front().env_steps == 68);

  settings.env_steps = 1'002;
  CHECK(message_of<polyq::SettingsError>(
            [&] { polyq::train(agent, env::Vectorized<Lever, 4>{}, settings); }) ==
        "polyq: TrainSettings.env_steps = 1002; allowed: >= 1 and a multiple of the number of "
        "environments, 4");
  CHECK(test::clock_of(agent).env_steps == 1'000);
}

TEST_CASE_TEMPLATE("a simulator trains an agent to the bits of the environment it simulates", B,
                   POLYQ_BACKENDS) {
  Learner<B> pure(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  Learner<B> hosted(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  SimulatedLever training, evaluating;
  const TrainResult expected = polyq::train(pure, env::Vectorized<Lever, 4>{}, thousand_steps());
  const TrainResult result =
      polyq::train(hosted, env::Host{&training, &evaluating}, thousand_steps());
  CHECK(hosted.parameters() == pure.parameters());
  CHECK(result.best_parameters == expected.best_parameters);
  CHECK(result.episodes == expected.episodes);
  CHECK(result.training_return == expected.training_return);
  CHECK(result.best.mean == expected.best.mean);
  CHECK(result.best_env_steps == expected.best_env_steps);
}

TEST_CASE_TEMPLATE("a run learns, and the same seed gives the same bits", B, POLYQ_BACKENDS) {
  const auto run = [](std::uint64_t seed, std::vector<float>& parameters) {
    Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .05f}, {.discount = .5f, .seed = seed});
    const TrainResult result = polyq::train(agent, Lever{}, thousand_steps());
    parameters = agent.parameters();
    CHECK(result.best.mean == 5);
    return result;
  };
  std::vector<float> parameters, again, other;
  const TrainResult result = run(1, parameters), same = run(1, again);
  run(2, other);
  CHECK(parameters == again);
  CHECK(result.best_parameters == same.best_parameters);
  CHECK(result.training_return == same.training_return);
  CHECK(result.largest_value == same.largest_value);
  CHECK(parameters != other);
}

TEST_CASE_TEMPLATE("an environment's NaN ends the run by name, lane, env step and index", B,
                   POLYQ_BACKENDS) {
  Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .05f});
  // Lane 2 at the step after 200 env steps: the run's 203rd.
  const Lever spoilt{.spoilt_lane = 2, .spoilt_env_step = 200, .spoilt_reward = not_a_number};
  Diary diary;
  CHECK(message_of<polyq::EnvironmentError>([&] {
          polyq::train(agent, env::Vectorized<Lever, 4>{spoilt}, thousand_steps(), diary);
        }) ==
        "polyq: environment Lever, lane 2, env step 203: reward = nan; allowed: finite numbers");
  CHECK(diary.chunks.size() == 2);  // those before
}

TEST_CASE_TEMPLATE("learning that runs away ends the run", B, POLYQ_BACKENDS) {
  SUBCASE("with the value and what is allowed") {
    Scripted<B> agent(150, 10'000, 20'000);
    Diary diary;
    const std::string message = message_of<polyq::DivergenceError>(
        [&] { polyq::train(agent, Lever{}, thousand_steps(), diary); });
    CHECK(message ==
          "polyq: learning diverged by env step 300: largest |Q| = 20000; allowed: up "
          "to 100 times r_max / (1 - discount) = " +
              polyq::shown(polyq::value_bound(1, .99f)) +
              "; lower the learning rate or copy the target more slowly");
    CHECK(diary.chunks.size() == 3);  // observers have seen the chunk that shows it
  }
  SUBCASE("as a rate far too high makes it") {
    Learner<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = 100.f});
    CHECK_THROWS_AS(polyq::train(agent, Lever{}, thousand_steps()), polyq::DivergenceError);
  }
}

namespace {

/// Shows the env step at which it began and its age, which is its reward; it does not end by itself
/// in a test's time.
struct Ageing {
  static constexpr const char* name = "Ageing";
  static constexpr int observation_size = 2, action_count = 2;
  struct State {
    std::uint64_t begun;
    int age;
  };
  POLYQ_HD State reset(core::Random random) const { return {random.step, 0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t, core::Random) const {
    ++state.age;
    return {float(state.age), false, state.age == 500};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = float(state.begun) / 1'024;
    out[1] = float(state.age) / 1'024;
  }
};

template <class B, int Network, int Steps, int Actions = 2>
using SeveralSteps =
    polyq::Dqn<B, polyq::nn::Mlp<Network, 4, Actions>,
               polyq::replay::NStep<Steps, polyq::replay::Uniform<8>>, polyq::optim::Sgd>;

}  // namespace

TEST_CASE_TEMPLATE("no transition goes on from one run to the next", B, POLYQ_BACKENDS) {
  constexpr int environments = 2, steps = 50;
  SeveralSteps<B, 2, 3> agent(B{}, {}, {{.capacity = 4'000}}, {.rate = 0x1p-40f},
                              {.discount = .5f});
  const TrainSettings settings{.env_steps = environments * steps,
                               .warm_up_env_steps = 20,
                               .evaluation_period_env_steps = 0,
                               .report_episodes = 1};
  for (int run = 0; run < 2; ++run)
    polyq::train(agent, env::Vectorized<Ageing, environments>{}, settings);
  int shorter[3] = {};
  for (int update = 0; update < 400; ++update) {
    agent.update();
    const auto batch = test::batch_of(agent);
    for (int i = 0; i < 8; ++i) {
      const int step = int(batch.rows[i]) / environments, age = step % steps;
      const int left = step < steps ? std::min(3, steps - age) : 3;
      CHECK(batch.observations(1, i) == float(age) / 1'024);
      CHECK(batch.next(0, i) == batch.observations(0, i));
      CHECK(batch.next(1, i) == float(age + left) / 1'024);
      float reward = 0, factor = 1;
      for (int k = 0; k < left; ++k, factor /= 2) reward += factor * float(age + k + 1);
      CHECK(batch.rewards[i] == reward);  // halves and quarters of small numbers are exact
      CHECK(batch.discounts[i] == factor);
      ++shorter[left - 1];
    }
  }
  CHECK(shorter[0] > 5);
  CHECK(shorter[1] > 5);
  CHECK(shorter[2] > 2'000);
}

TEST_CASE_TEMPLATE("a warm-up too short for a transition is refused", B, POLYQ_BACKENDS) {
  SeveralSteps<B, 1, 5> agent(B{}, {}, {{.capacity = 4'000}}, {});
  TrainSettings settings = thousand_steps();
  settings.warm_up_env_steps = 12;
  CHECK(message_of<polyq::SettingsError>(
            [&] { polyq::train(agent, env::Vectorized<Lever, 4>{}, settings); }) ==
        "polyq: TrainSettings.warm_up_env_steps = 12; allowed: >= 16, the rows that the replay's "
        "transitions span");
  settings.warm_up_env_steps = 16;
  CHECK(polyq::train(agent, env::Vectorized<Lever, 4>{}, settings).updates > 900);
}

TEST_CASE_TEMPLATE("a state without a legal action ends the run by lane and env step", B,
                   POLYQ_BACKENDS) {
  const auto message = [](int age) {
    SeveralSteps<B, 3, 2, 40> agent(B{}, {}, {{.capacity = 4'000}}, {.rate = 1e-6f});
    const test::Masked<40> environment{.stuck_lane = 2, .stuck_age = age};
    return message_of<polyq::EnvironmentError>([&] {
      polyq::train(agent, env::Vectorized<test::Masked<40>, 4>{environment}, thousand_steps());
    });
  };
  const std::string none = ": legal actions = none; allowed: at least one";
  CHECK(message(0) == "polyq: environment Masked, lane 2, env step 3" + none);
  CHECK(message(4) == "polyq: environment Masked, lane 2, env step 15" + none);
  CHECK(message(8) == "nothing was thrown");
}
