// SPDX-License-Identifier: MIT
// Uniform: every stored row is drawn equally often and no other ever is, the same ones on every
// backend; settings out of their range are refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <polyq/replay/uniform.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace replay = polyq::replay;

template <class Machine, int BatchSize>
struct Shapes {
  static constexpr int O = 3, A = 2, B = BatchSize;
  template <int Columns>
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, Columns>;
};

/// A uniform replay of rows whose numbers tell which row they are, and the batch last drawn.
template <class B, int BatchSize, int N = 1>
class Drawn {
  using Machine = typename B::Machine;
  using S = Shapes<Machine, BatchSize>;
  using Sampled = typename S::template Observations<BatchSize>;
  using Pushed = typename S::template Observations<N>;

 public:
  explicit Drawn(std::int64_t capacity, std::uint64_t seed = 5)
      : on_(machine_, {.capacity = capacity}, {.9f, seed, {}}) {
    on_.attach(N);
  }
  void push(int steps) {
    test::HostRows<Pushed> rows;
    for (int step = 0; step < steps; ++step) {
      for (int e = 0; e < N; ++e) {
        const auto row = float(clock.rows + std::uint64_t(e));
        for (int o = 0; o < S::O; ++o) {
          rows.observations(o, e) = row + float(o) * 1e5f;
          rows.next(o, e) = row + .5f + float(o) * 1e5f;
        }
        rows.actions[e] = std::int32_t(row);
        rows.rewards[e] = -row;
        rows.terminated[e] = int(row) % 3 == 0;
        rows.truncated[e] = int(row) % 3 == 1;
      }
      pushed_.upload(machine_, rows);
      machine_.upload(clock_.get(), &clock, 1);
      on_.push(machine_, clock_.get(), pushed_.view());
      clock.rows += N;
    }
  }
  const std::vector<std::int64_t>& sample() {
    machine_.upload(clock_.get(), &clock, 1);
    on_.sample(machine_, clock_.get(), sampled_.view());
    batch = test::downloaded(machine_, sampled_.view());
    return batch.rows;
  }
  /// Whether column i is exactly the row whose number it bears.
  bool is_stored_row(int i) const {
    const std::int64_t number = batch.rows[i];
    const auto row = float(number);
    bool same = batch.actions[i] == number && batch.rewards[i] == -row &&
                batch.discounts[i] == (number % 3 == 0 ? 0 : .9f);
    for (int o = 0; o < S::O; ++o)
      same = same && batch.observations(o, i) == row + float(o) * 1e5f &&
             batch.next(o, i) == row + .5f + float(o) * 1e5f;
    return same;
  }
  core::Clock clock{};
  test::HostBatch<Sampled> batch;

 private:
  Machine machine_{B{}};
  typename replay::Uniform<BatchSize>::template On<Machine, S> on_;
  test::RowsOn<Machine, Pushed> pushed_{machine_};
  test::BatchOn<Machine, Sampled> sampled_{machine_};
  typename Machine::template Owned<core::Clock> clock_ = machine_.template allocate<core::Clock>(1);
};

/// Samples at every fill level from a few rows to three times round.
template <class B, int BatchSize, int N>
void draw_while_filling(std::int64_t capacity) {
  Drawn<B, BatchSize, N> drawn(capacity);
  int wrong = 0, outside = 0;
  for (int step = 0; step < 3 * capacity / N; ++step) {
    drawn.push(1);
    const auto pushed = std::int64_t(drawn.clock.rows);
    const std::int64_t oldest = std::max<std::int64_t>(0, pushed - capacity);
    for (int i = 0; i < 5; ++i, ++drawn.clock.updates) {
      drawn.sample();
      for (int b = 0; b < BatchSize; ++b) {
        outside += drawn.batch.rows[b] < oldest || drawn.batch.rows[b] >= pushed;
        wrong += !drawn.is_stored_row(b);
      }
    }
  }
  CHECK(outside == 0);
  CHECK(wrong == 0);
}

/// Σ (observed − expected)² / expected over the rows [oldest, oldest + stored).
double chi_square(const std::vector<std::int64_t>& draws, std::int64_t oldest, int stored) {
  std::vector<double> counts(stored);
  for (const std::int64_t row : draws) ++counts.at(std::size_t(row - oldest));
  const double expected = double(draws.size()) / stored;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

std::string refusal(auto f) {
  try {
    f();
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE_TEMPLATE("what is drawn is a stored row, never one overwritten or not pushed yet", B,
                   POLYQ_BACKENDS) {
  draw_while_filling<B, 12, 1>(12);
  draw_while_filling<B, 12, 4>(12);
  draw_while_filling<B, 7, 4>(16);  // no multiple of the four rows of a Philox block
  draw_while_filling<B, 1, 1>(2);
}

TEST_CASE_TEMPLATE("rows are drawn uniformly", B, POLYQ_BACKENDS) {
  Drawn<B, 100> drawn(100);
  const auto draw = [&](int batches) {
    std::vector<std::int64_t> draws;
    for (int i = 0; i < batches; ++i, ++drawn.clock.updates) {
      const std::vector<std::int64_t>& rows = drawn.sample();
      draws.insert(draws.end(), rows.begin(), rows.end());
    }
    return draws;
  };
  // χ² between its quantiles .001 and .999: too even would be as wrong as too uneven.
  drawn.push(37);
  const double partly = chi_square(draw(2'000), 0, 37);  // 200 000 draws, 36 degrees of freedom
  CHECK(partly > 15.32);
  CHECK(partly < 67.99);

  drawn.push(100);
  const double full = chi_square(draw(2'000), 37, 100);  // 99 degrees of freedom
  CHECK(full > 61.14);
  CHECK(full < 148.23);
}

TEST_CASE_TEMPLATE("a seed draws the same rows on every backend, another seed or update others", B,
                   POLYQ_BACKENDS) {
  Drawn<B, 32> drawn(1'000, 5), other_seed(1'000, 6);
  Drawn<polyq::backend::Reference, 32> oracle(1'000, 5);
  drawn.push(700);
  other_seed.push(700);
  oracle.push(700);
  for (int update = 0; update < 20; ++update) {
    const std::vector<std::int64_t> rows = drawn.sample();
    CHECK(rows == oracle.sample());
    CHECK(rows == drawn.sample());  // nothing but the clock moves the draws
    CHECK(rows != other_seed.sample());
    ++drawn.clock.updates;
    ++oracle.clock.updates;
    ++other_seed.clock.updates;
    CHECK(rows != drawn.sample());
  }
}

TEST_CASE_TEMPLATE("settings that do not fit are refused before memory is asked for", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine{B{}};
  const auto make = [&](std::int64_t capacity) {
    typename replay::Uniform<64>::template On<Machine, Shapes<Machine, 64>> on(
        machine, {.capacity = capacity}, {.9f, 1, {}});
  };
  const std::string range = "; allowed: [64 (the batch size), 4294967295]";
  CHECK(refusal([&] { make(63); }) == "polyq: Uniform.capacity = 63" + range);
  CHECK(refusal([&] { make(-1); }) == "polyq: Uniform.capacity = -1" + range);
  CHECK(refusal([&] { make(4'294'967'296); }) == "polyq: Uniform.capacity = 4294967296" + range);
  CHECK(refusal([&] { make(64); }) == "nothing was thrown");
  replay::Uniform<64>{.capacity = 4'294'967'295}.check();  // allowed, though hardly to be had

  typename replay::Uniform<64>::template On<Machine, Shapes<Machine, 64>> on(
      machine, {.capacity = 100}, {.9f, 1, {}});
  CHECK(refusal([&] { on.attach(3); }) ==
        "polyq: replay capacity = 100; allowed: a multiple of the number of environments, 3");
  on.attach(4);
  CHECK(refusal([&] { on.attach(5); }) ==
        "polyq: environments of a replay attached before = 5; allowed: 4");
}

TEST_CASE_TEMPLATE("a sample before attach is refused", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using Sampled = typename Shapes<Machine, 64>::template Observations<64>;
  Machine machine{B{}};
  core::Clock clock{};
  typename replay::Uniform<64>::template On<Machine, Shapes<Machine, 64>> on(
      machine, {.capacity = 100}, {.9f, 1, {}});
  CHECK_THROWS_AS(on.sample(machine, &clock, replay::Batch<Sampled>{}), polyq::DeviceError);
}
