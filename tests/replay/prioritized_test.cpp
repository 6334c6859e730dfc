// SPDX-License-Identifier: MIT
// Prioritized: rows are drawn as often as their priorities say, weighed by the formula of the
// source, entered and changed as they should be, on every backend and in every order; what is
// wrong is refused by name.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/dqn.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "folded.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
namespace math = polyq::math;
namespace replay = polyq::replay;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr std::uint64_t seed = 5;
constexpr replay::RunFacts facts{.9f, seed, {}};

float uniform(std::uint32_t lane, std::uint64_t i) {
  return core::uniform(core::philox(23, core::Stream::noise, i, lane).word[0]);
}

template <class Machine, int BatchSize>
struct Shapes {
  static constexpr int O = 1, A = 2, B = BatchSize;
  template <int Columns>
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, Columns>;
};

/// A prioritized replay of N environments, its clock, and the batch last drawn. Of capacity
/// `settings.capacity` / `shards`.
template <class B, int BatchSize, int N = 1, int Steps = 1>
class Drawn {
 public:
  using Machine = typename B::Machine;
  using S = Shapes<Machine, BatchSize>;
  using Replay = replay::NStep<Steps, replay::Prioritized<BatchSize>>;
  using Pushed = typename S::template Observations<N>;
  using Sampled = typename S::template Observations<BatchSize>;

  explicit Drawn(const replay::Prioritized<BatchSize>& settings, replay::RunFacts of_run = facts,
                 B backend = {})
      : machine(backend), on(machine, {settings}, of_run) {
    on.attach(N);
  }
  void push(int steps) {
    for (int step = 0; step < steps; ++step) {
      set_clock();
      on.push(machine, clock_.get(), pushed_.view());
      clock.rows += N;
    }
  }
  const std::vector<std::int64_t>& sample() {
    set_clock();
    on.sample(machine, clock_.get(), sampled_.view());
    batch = test::downloaded(machine, sampled_.view());
    return batch.rows;
  }
  /// The last batch's errors.
  void reprioritize(const std::vector<float>& errors) {
    machine.upload(errors_.get(), errors.data(), BatchSize);
    on.reprioritize(machine, sampled_.view(), errors_.get());
    ++clock.updates;
  }
  /// The same for rows of one's choice.
  void reprioritize(const std::vector<std::int64_t>& rows, const std::vector<float>& errors) {
    machine.upload(sampled_.view().rows, rows.data(), BatchSize);
    reprioritize(errors);
  }
  std::vector<float> priorities() { return on.priorities(machine); }
  void set_priorities(const std::vector<float>& priorities) {
    set_clock();
    on.set_priorities(machine, clock_.get(), priorities);
  }
  void set_clock() { machine.upload(clock_.get(), &clock, 1); }
  core::Clock* clock_in_memory() { return clock_.get(); }
  auto rows() const { return pushed_.view(); }
  auto sampled() const { return sampled_.view(); }
  float* errors() { return errors_.get(); }

  core::Clock clock{};
  test::HostBatch<Sampled> batch;
  Machine machine;
  typename Replay::template On<Machine, S> on;

 private:
  test::RowsOn<Machine, Pushed> pushed_{machine};
  test::BatchOn<Machine, Sampled> sampled_{machine};
  typename Machine::template Owned<float> errors_ = machine.template allocate<float>(BatchSize);
  typename Machine::template Owned<core::Clock> clock_ = machine.template allocate<core::Clock>(1);
};

/// Priorities from .2 to 2, some of them 0.
std::vector<float> spread(std::size_t stored, std::size_t capacity) {
  std::vector<float> priorities(capacity);
  for (std::size_t i = 0; i < stored; ++i)
    priorities[i] = i % 11 == 3 ? 0 : .2f + 1.8f * uniform(1, i);
  return priorities;
}

struct Moments {
  double mean = 0, deviation = 0;
};
/// Of Σ (observed − expected)² / expected where each of `parts` equal parts of the priorities' sum
/// has one draw a batch. Counts of rows in different parts are independent, and of one part they
/// are multinomial: their covariance is Σ over parts q (δ − q'), which is at most that of draws
/// from the whole. The statistic is a quadratic form in counts that are nearly normal.
Moments stratified_chi_square(const std::vector<float>& priorities, int parts) {
  double sum = 0;
  for (const float priority : priorities) sum += priority;
  const std::size_t count = priorities.size();
  std::vector<double> share(count), variance(count);
  std::vector<std::vector<std::pair<std::size_t, double>>> in_part(std::size_t(parts) + 1);
  double begin = 0;
  for (std::size_t row = 0; row < count; ++row) {
    const double end = begin + priorities[row] / sum * parts;
    share[row] = end - begin;
    for (std::size_t part = std::size_t(begin); double(part) < end; ++part) {
      const double q = std::min(end, double(part) + 1) - std::max(begin, double(part));
      if (q > 0) in_part[part].push_back({row, q});
      variance[row] += q > 0 ? q * (1 - q) : 0;
    }
    begin = end;
  }
  // tr(D⁻¹C) and 2 tr((D⁻¹C)²); two different rows share at most one part, but for its ends.
  Moments moments;
  double squares = 0;
  for (std::size_t row = 0; row < count; ++row)
    if (share[row] > 0) {
      moments.mean += variance[row] / share[row];
      squares += variance[row] / share[row] * variance[row] / share[row];
    }
  for (const auto& part : in_part)
    for (const auto& [row, q] : part)
      for (const auto& [other, p] : part)
        if (row != other) squares += q * p * q * p / (share[row] * share[other]);
  moments.deviation = std::sqrt(2 * squares);
  return moments;
}

/// Draws batches of 100 and compares how often each row came with its priority.
template <class B>
void check_frequencies(std::size_t stored, std::int64_t capacity, int batches) {
  constexpr int batch_size = 100;
  CAPTURE(seed);
  CAPTURE(stored);
  CAPTURE(capacity);
  Drawn<B, batch_size> drawn({.capacity = capacity});
  drawn.push(int(stored));
  const std::vector<float> priorities = spread(stored, std::size_t(capacity));
  drawn.set_priorities(priorities);
  std::vector<double> counts(priorities.size());
  for (; drawn.clock.updates < std::uint64_t(batches); ++drawn.clock.updates)
    for (const std::int64_t row : drawn.sample()) ++counts.at(std::size_t(row));
  double sum = 0, chi_square = 0;
  int never_allowed = 0;
  for (const float priority : priorities) sum += priority;
  for (std::size_t row = 0; row < counts.size(); ++row) {
    const double expected = double(batches) * batch_size * priorities[row] / sum;
    if (expected == 0)
      never_allowed += counts[row] > 0;
    else
      chi_square += (counts[row] - expected) * (counts[row] - expected) / expected;
  }
  CHECK(never_allowed == 0);
  const Moments moments = stratified_chi_square(priorities, batch_size);
  CAPTURE(chi_square);
  CAPTURE(moments.mean);
  CAPTURE(moments.deviation);
  // Five deviations to both sides: too even would be as wrong as too uneven.
  CHECK(std::abs(chi_square - moments.mean) < 5 * moments.deviation);
}

template <class Error>
std::string message_of(auto f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::vector<float> errors_of(std::uint64_t update, int count) {
  std::vector<float> errors(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    errors[std::size_t(i)] = 4 * uniform(2, update * 64 + std::uint64_t(i)) - 2;
  return errors;
}

/// One episode after another of five steps, rewarded by `reward` at each.
struct Rewarding {
  static constexpr const char* name = "Rewarding";
  static constexpr int observation_size = 1, action_count = 2;
  float reward = 1;
  struct State {
    int steps;
  };
  POLYQ_HD State reset(core::Random) const { return {0}; }
  POLYQ_HD env::Outcome step(State& state, std::int32_t, core::Random) const {
    ++state.steps;
    return {reward, state.steps == 5, false};
  }
  POLYQ_HD void observe(const State& state, float* out) const { out[0] = float(state.steps) / 8; }
};

constexpr polyq::TrainSettings thousand_steps{.env_steps = 1'000,
                                              .warm_up_env_steps = 100,
                                              .evaluation_period_env_steps = 0,
                                              .report_episodes = 1,
                                              .chunk_env_steps = 100};

template <class B>
using Agent = polyq::Dqn<B, polyq::nn::Mlp<1, 8, 2>, replay::Prioritized<8>, polyq::optim::Sgd>;

}  // namespace

TEST_CASE_TEMPLATE("rows are drawn as often as their priorities say", B, POLYQ_BACKENDS) {
  check_frequencies<B>(100, 100, 1'000);
  check_frequencies<B>(737, 1'100, 1'000);
}

TEST_CASE("rows are drawn as often as their priorities say, a million times") {
  check_frequencies<test::Fast>(61, 100, 10'000);
  check_frequencies<test::Fast>(1'024, 1'024, 10'000);
  check_frequencies<test::Fast>(20'000, 20'000, 10'000);
}

TEST_CASE_TEMPLATE("sample i is drawn from the i-th part of the sum", B, POLYQ_BACKENDS) {
  Drawn<B, 50> drawn({.capacity = 1'000});
  drawn.push(1'000);
  std::vector<int> seen(20);
  for (; drawn.clock.updates < 200; ++drawn.clock.updates) {
    drawn.sample();
    for (int i = 0; i < 50; ++i) {
      CHECK(drawn.batch.rows[i] / 20 == i);  // all 1, whose sums are exact
      ++seen[std::size_t(drawn.batch.rows[i] % 20)];
    }
  }
  for (const int count : seen) CHECK(std::abs(count - 500) < 110);  // five deviations
}

TEST_CASE_TEMPLATE("draws of equal priorities are equal on every backend", B, POLYQ_BACKENDS) {
  for (const B& backend : test::in_all_orders<B>()) {
    Drawn<B, 32> drawn({.capacity = 1'000}, facts, backend),
        other({.capacity = 1'000}, {.9f, 6, {}});
    Drawn<polyq::backend::Reference, 32> oracle({.capacity = 1'000});
    for (auto* each : {&drawn, &other}) {
      each->push(1'700);
      each->set_priorities(spread(1'000, 1'000));
    }
    oracle.push(1'700);
    oracle.set_priorities(spread(1'000, 1'000));
    for (int update = 0; update < 20; ++update) {
      const std::vector<std::int64_t> rows = drawn.sample();
      CHECK(rows == oracle.sample());
      CHECK(rows == drawn.sample());  // nothing but the clock moves the draws
      CHECK(rows != other.sample());
      for (const std::int64_t row : rows) {
        CHECK(row >= 700);
        CHECK(row < 1'700);
      }
      ++drawn.clock.updates;
      ++oracle.clock.updates;
      ++other.clock.updates;
      CHECK(rows != drawn.sample());
    }
  }
}

TEST_CASE_TEMPLATE("a seed gives the same bits, in any order", B, POLYQ_BACKENDS) {
  const auto run = [](B backend) {
    Drawn<B, 32, 4> drawn({.capacity = 400, .alpha = .7f}, facts, backend);
    std::vector<float> all;
    drawn.push(10);
    for (int update = 0; update < 150; ++update) {
      drawn.push(1);
      drawn.sample();
      all.insert(all.end(), drawn.batch.weights.begin(), drawn.batch.weights.end());
      all.insert(all.end(), drawn.batch.rows.begin(), drawn.batch.rows.end());
      drawn.reprioritize(errors_of(drawn.clock.updates, 32));
    }
    const std::vector<float> priorities = drawn.priorities();
    all.insert(all.end(), priorities.begin(), priorities.end());
    return all;
  };
  const std::vector<float> once = run({});
  for (const B& backend : test::in_all_orders<B>()) CHECK(run(backend) == once);
}

TEST_CASE_TEMPLATE("two shards share no draw", B, POLYQ_BACKENDS) {
  // Each row of a part of 500 comes with 1 in 500: of 640 pairs some 1.3 meet by chance.
  using Eight = Drawn<B, 64>;
  Eight first({.capacity = 64'000}, {.9f, seed, {}, 0, 2}),
      second({.capacity = 64'000}, {.9f, seed, {}, 1, 2});
  CHECK(first.priorities().size() == 32'000);
  std::vector<float> equal(32'000, 1);
  for (Eight* shard : {&first, &second}) {
    shard->clock.rows = 32'000;
    shard->set_priorities(equal);
  }
  int met = 0;
  for (int update = 0; update < 10; ++update, ++first.clock.updates, ++second.clock.updates) {
    first.sample();
    second.sample();
    for (int i = 0; i < 64; ++i) met += first.batch.rows[i] == second.batch.rows[i];
  }
  CHECK(met < 10);
}

TEST_CASE_TEMPLATE("a priority is (|error| + 1e-6) to the alpha", B, POLYQ_BACKENDS) {
  const std::vector<float> errors{0, 1, -1, .25f, -3, 100, 1e-6f, -2e5f};
  for (const float alpha : {0.f, .3f, .5f, .6f, 1.f}) {
    CAPTURE(alpha);
    Drawn<B, 8> drawn({.capacity = 20, .alpha = alpha});
    drawn.push(20);
    drawn.reprioritize({12, 3, 4, 0, 19, 6, 7, 8}, errors);
    const std::vector<float> priorities = drawn.priorities();
    const int rows[8] = {12, 3, 4, 0, 19, 6, 7, 8};
    for (int i = 0; i < 8; ++i) {
      const double expected = std::pow(std::abs(double(errors[i])) + 1e-6, double(alpha));
      // The sum is rounded, and pow is right to 8 units in the last place on a GPU.
      CHECK(std::abs(priorities[rows[i]] - expected) <= 1e-6 * expected);
    }
    for (const int row : {1, 2, 5, 9, 18}) CHECK(priorities[row] == 1);
    if (alpha == 0) CHECK(priorities == std::vector<float>(20, 1));
  }
}

TEST_CASE_TEMPLATE("new rows enter at the largest priority so far, and old ones leave", B,
                   POLYQ_BACKENDS) {
  Drawn<B, 8, 4> drawn({.capacity = 16, .alpha = 1});
  drawn.push(1);
  CHECK(drawn.priorities() == std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  drawn.reprioritize({0, 1, 2, 3, 0, 1, 2, 3}, {.5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f});
  drawn.push(1);  // the largest is still 1
  std::vector<float> priorities = drawn.priorities();
  CHECK(priorities[0] < .51f);
  for (int row = 4; row < 8; ++row) CHECK(priorities[row] == 1);
  drawn.reprioritize({0, 1, 2, 3, 4, 5, 6, 7}, {.5f, 7, .5f, .5f, .5f, .5f, .5f, .5f});
  const float largest = drawn.priorities()[1];
  CHECK(largest == 7 + 1e-6f);
  drawn.reprioritize({0, 1, 2, 3, 4, 5, 6, 7}, std::vector<float>(8, .5f));
  drawn.push(2);
  priorities = drawn.priorities();
  for (int row = 8; row < 16; ++row) CHECK(priorities[row] == largest);
  CHECK(priorities[1] < .51f);
  drawn.push(1);  // rows 16 to 19 stand where 0 to 3 stood
  priorities = drawn.priorities();
  for (int row = 0; row < 4; ++row) CHECK(priorities[row] == largest);
  CHECK(priorities[4] < .51f);
  for (const std::int64_t row : drawn.sample()) {
    CHECK(row >= 4);
    CHECK(row < 20);
  }
}

TEST_CASE_TEMPLATE("priorities that are set count for the largest", B, POLYQ_BACKENDS) {
  Drawn<B, 8> drawn({.capacity = 16});
  drawn.push(8);
  std::vector<float> priorities(16);
  for (int row = 0; row < 8; ++row) priorities[row] = float(row) + .5f;
  drawn.set_priorities(priorities);
  CHECK(drawn.priorities() == priorities);
  drawn.push(1);
  CHECK(drawn.priorities()[8] == 7.5f);
  priorities.assign(16, 0);
  priorities[2] = .25f;
  drawn.set_priorities(priorities);
  CHECK(drawn.sample() == std::vector<std::int64_t>(8, 2));
  drawn.push(1);
  CHECK(drawn.priorities()[9] == 7.5f);  // of all so far
}

TEST_CASE_TEMPLATE("of a row that stands in a batch several times the last counts", B,
                   POLYQ_BACKENDS) {
  for (const B& backend : test::in_all_orders<B>()) {
    Drawn<B, 8> drawn({.capacity = 40, .alpha = 1}, facts, backend);
    drawn.push(40);
    drawn.reprioritize({5, 5, 6, 5, 33, 6, 5, 33}, {9, 8, 7, 6, 5, 4, 3, 2});
    std::vector<float> expected(40, 1);
    expected[5] = 3 + 1e-6f;
    expected[6] = 4 + 1e-6f;
    expected[33] = 2 + 1e-6f;
    CHECK(drawn.priorities() == expected);
    // Where the last is not a number the row keeps its priority.
    drawn.reprioritize({5, 5, 6, 6, 7, 7, 7, 7}, {1, not_a_number, infinity, .5f, 4, 3, 2, 1});
    expected[6] = .5f + 1e-6f;
    expected[7] = 1 + 1e-6f;
    CHECK(drawn.priorities() == expected);
  }
}

TEST_CASE_TEMPLATE("weights are (N P)^-beta over the batch's largest", B, POLYQ_BACKENDS) {
  constexpr int batch_size = 16;
  Drawn<B, batch_size> drawn(
      {.capacity = 1'000, .alpha = .6f, .beta = math::Schedule::linear(.4f, 1, 100)});
  drawn.push(700);
  drawn.set_priorities(spread(700, 1'000));
  for (int update = 0; update < 120; update += 20) {
    drawn.clock.updates = std::uint64_t(update);
    drawn.sample();
    const std::vector<float> priorities = drawn.priorities();
    const double beta = std::min(1., .4 + .6 * update / 100);
    double sum = 0, largest = 0;
    for (const float priority : priorities) sum += priority;
    std::vector<double> expected;
    for (const std::int64_t row : drawn.batch.rows) {
      expected.push_back(std::pow(700 * (priorities[std::size_t(row)] / sum), -beta));
      largest = std::max(largest, expected.back());
    }
    for (int i = 0; i < batch_size; ++i) {
      // A quotient, its power and beta, each rounded to 6e-8; a GPU's power to eight times that.
      CHECK(std::abs(drawn.batch.weights[i] - expected[i] / largest) <=
            2e-6 * expected[i] / largest);
      CHECK(drawn.batch.weights[i] <= 1);
    }
    CHECK(*std::max_element(drawn.batch.weights.begin(), drawn.batch.weights.end()) == 1);
  }
}

TEST_CASE_TEMPLATE("weights are 1 where nothing is to be undone", B, POLYQ_BACKENDS) {
  const std::vector<float> ones(8, 1);
  Drawn<B, 8> even({.capacity = 100, .alpha = 0}), biased({.capacity = 100, .beta = 0.f});
  for (auto* drawn : {&even, &biased}) {
    drawn->push(50);
    for (int update = 0; update < 10; ++update) {
      drawn->sample();
      CHECK(drawn->batch.weights == ones);
      drawn->reprioritize(errors_of(std::uint64_t(update), 8));
    }
  }
}

TEST_CASE_TEMPLATE("transitions of several steps are folds of rows, drawn when complete", B,
                   POLYQ_BACKENDS) {
  using replay::Prioritized;
  SUBCASE("three steps, one environment") { test::check_folds<B, Prioritized, 3, 1>(false); }
  SUBCASE("three steps, four environments, masks") {
    test::check_folds<B, Prioritized, 3, 4>(true);
  }
  SUBCASE("one step, four environments, masks") { test::check_folds<B, Prioritized, 1, 4>(true); }
}

TEST_CASE_TEMPLATE("rows enter when their transition is complete", B, POLYQ_BACKENDS) {
  Drawn<B, 4, 2, 3> drawn({.capacity = 8});
  CHECK(drawn.on.rows_needed() == 5);
  drawn.push(2);
  CHECK(drawn.priorities() == std::vector<float>(8));
  drawn.push(1);
  CHECK(drawn.priorities() == std::vector<float>{1, 1, 0, 0, 0, 0, 0, 0});
  drawn.push(1);
  CHECK(drawn.priorities() == std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0});
  drawn.push(1);  // rows 8 and 9 stand where 0 and 1 stood
  CHECK(drawn.priorities() == std::vector<float>{0, 0, 1, 1, 1, 1, 0, 0});
  drawn.set_clock();
  drawn.on.cut(drawn.machine, drawn.clock_in_memory());
  drawn.push(1);
  CHECK(drawn.priorities() == std::vector<float>{0, 0, 0, 0, 1, 1, 1, 1});
}

TEST_CASE_TEMPLATE("an error that is not finite changes no priority, and is refused by row", B,
                   POLYQ_BACKENDS) {
  for (const float error : {not_a_number, infinity, -infinity}) {
    Drawn<B, 4> drawn({.capacity = 20, .alpha = 1});
    drawn.push(20);
    drawn.reprioritize({3, 4, 5, 6}, {2, 3, 4, 5});
    const std::vector<float> before = drawn.priorities();
    drawn.on.refuse_faults(drawn.machine);  // none yet
    drawn.reprioritize({3, 4, 5, 6}, {2, 3, error, not_a_number});
    CHECK(drawn.priorities() == before);
    drawn.reprioritize({7, 8, 9, 10}, {not_a_number, 2, 2, 2});  // the first of all is kept
    CHECK(message_of<polyq::DivergenceError>([&] { drawn.on.refuse_faults(drawn.machine); }) ==
          "polyq: learning diverged: the error of replay row 5 = " + polyq::shown(error) +
              "; allowed: finite numbers; lower the learning rate");
    drawn.push(1);
    CHECK(drawn.priorities()[0] == 5 + 1e-6f);  // and the largest is a number
  }
}

TEST_CASE_TEMPLATE("training ends where learning runs away", B, POLYQ_BACKENDS) {
  const auto message = [](float rate) {
    Agent<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = rate});
    return message_of<polyq::DivergenceError>(
        [&] { polyq::train(agent, Rewarding{}, thousand_steps); });
  };
  CHECK(message(.01f) == "nothing was thrown");
  const std::string diverged = message(1e6f);
  CAPTURE(diverged);
  CHECK(diverged.starts_with("polyq: learning diverged: the error of replay row "));
  CHECK(diverged.ends_with("; allowed: finite numbers; lower the learning rate"));
}

TEST_CASE_TEMPLATE("a reward that is not a number is the environment's fault", B, POLYQ_BACKENDS) {
  Agent<B> agent(B{}, {}, {.capacity = 4'000}, {.rate = .01f});
  CHECK(message_of<polyq::EnvironmentError>([&] {
          polyq::train(agent, Rewarding{not_a_number},
                       {.env_steps = 200, .warm_up_env_steps = 100, .chunk_env_steps = 200});
        }) ==
        "polyq: environment Rewarding, lane 0, env step 1: reward = nan; allowed: finite numbers");
}

TEST_CASE_TEMPLATE("priorities that are no priorities are refused", B, POLYQ_BACKENDS) {
  Drawn<B, 4, 2, 2> drawn({.capacity = 8});
  drawn.push(3);  // rows 4 and 5 wait for their next ones
  const std::vector<float> good{1, 2, 3, 0, 0, 0, 0, 0};
  drawn.set_priorities(good);
  const auto refusal = [&](std::vector<float> priorities) {
    return message_of<polyq::SettingsError>([&] { drawn.set_priorities(priorities); });
  };
  CHECK(refusal({1, 2, 3}) == "polyq: number of priorities = 3; allowed: 8, the replay's capacity");
  CHECK(refusal({1, 2, not_a_number, 0, 0, 0, 0, 0}) ==
        "polyq: priority[2] = nan; allowed: finite and >= 0");
  CHECK(refusal({1, infinity, 1, 0, 0, 0, 0, 0}) ==
        "polyq: priority[1] = inf; allowed: finite and >= 0");
  CHECK(refusal({-1, 2, 1, 0, 0, 0, 0, 0}) == "polyq: priority[0] = -1; allowed: finite and >= 0");
  CHECK(refusal({1, 2, 1, 0, .5f, 0, 0, 0}) ==
        "polyq: priority[4] = 0.5; allowed: 0, since no transition begins there");
  CHECK(refusal({1, 2, 1, 0, 0, 0, 0, 3}) ==
        "polyq: priority[7] = 3; allowed: 0, since no transition begins there");
  CHECK(refusal(std::vector<float>(8)) == "polyq: largest of the priorities = 0; allowed: > 0");
  CHECK(drawn.priorities() == good);  // what was refused leaves no trace
}

namespace {

/// A row, an update's draw and priorities, as a recording runs them.
template <class D>
struct Cycle {
  D* drawn;
  void operator()() const {
    auto& machine = drawn->machine;
    core::Clock* clock = drawn->clock_in_memory();
    drawn->on.push(machine, clock, drawn->rows());
    machine.for_each(1, core::Tick{clock, 4, 0});
    drawn->on.sample(machine, clock, drawn->sampled());
    drawn->on.reprioritize(machine, drawn->sampled(), drawn->errors());
    machine.for_each(1, core::Tick{clock, 0, 1});
  }
};

}  // namespace

TEST_CASE_TEMPLATE("a recording follows the clock", B, POLYQ_BACKENDS) {
  using Replayed = Drawn<B, 16, 4>;
  const replay::Prioritized<16> settings{
      .capacity = 40, .alpha = .8f, .beta = math::Schedule::linear(0, 1, 30)};
  Replayed recorded(settings), eager(settings);
  recorded.set_clock();
  auto cycle = recorded.machine.record(Cycle<Replayed>{&recorded});
  for (int update = 0; update < 40; ++update) {  // four times round the ring
    const std::vector<float> errors = errors_of(std::uint64_t(update), 16);
    recorded.machine.upload(recorded.errors(), errors.data(), errors.size());
    cycle();
    eager.push(1);
    eager.sample();
    eager.reprioritize(errors);
    const auto batch = test::downloaded(recorded.machine, recorded.sampled());
    CHECK(batch.rows == eager.batch.rows);
    CHECK(batch.weights == eager.batch.weights);
    CHECK(recorded.priorities() == eager.priorities());
  }
}

TEST_CASE_TEMPLATE("settings that do not fit are refused before memory is asked for", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine{B{}};
  const auto refusal = [&](const replay::Prioritized<64>& settings, int shards = 1) {
    return message_of<polyq::SettingsError>([&] {
      typename replay::Prioritized<64>::template On<Machine, Shapes<Machine, 64>> on(
          machine, settings, {.9f, 1, {}, 0, shards});
    });
  };
  const std::string batch = "; allowed: [64 (the batch size), 4294967295]";
  CHECK(refusal({.capacity = 63}) == "polyq: Prioritized.capacity = 63" + batch);
  CHECK(refusal({.capacity = 4'294'967'296}) == "polyq: Prioritized.capacity = 4294967296" + batch);
  CHECK(refusal({.capacity = 100}, 2) ==
        "polyq: Prioritized.capacity = 100; allowed: [128 (the batches of all shards), "
        "8589934590]");
  CHECK(refusal({.capacity = 201}, 2) ==
        "polyq: Prioritized.capacity = 201; allowed: a multiple of the number of shards, 2");
  for (const float alpha : {-.1f, 1.1f, not_a_number})
    CHECK(refusal({.alpha = alpha}) ==
          "polyq: Prioritized.alpha = " + polyq::shown(alpha) + "; allowed: [0, 1]");
  for (const float beta : {-.1f, 1.1f, not_a_number})
    CHECK(refusal({.beta = beta}) ==
          "polyq: Prioritized.beta = " + polyq::shown(beta) + "; allowed: [0, 1]");
  CHECK(refusal({.beta = math::Schedule::linear(.4f, 2, 10)}) ==
        "polyq: Prioritized.beta = 2; allowed: [0, 1]");
  CHECK(refusal({.capacity = 64, .alpha = 0, .beta = 1.f}) == "nothing was thrown");
}

TEST_CASE_TEMPLATE("the concept takes it, with transitions of one step and of several", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using replay::Prioritized;
  static_assert(replay::ReplayOn<Prioritized<5>, Machine, Shapes<Machine, 5>>);
  static_assert(replay::ReplayOn<replay::NStep<3, Prioritized<5>>, Machine, Shapes<Machine, 5>>);
  static_assert(Prioritized<5>::weighted && replay::NStep<3, Prioritized<5>>::weighted);
}
