// SPDX-License-Identifier: MIT
// Ring: rows stand time-major and wrap at the capacity, each comes back as it was pushed, with its
// discount and learned reward; attach refuses what would not fit.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/core/clock.hpp>
#include <polyq/replay/ring.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace replay = polyq::replay;

constexpr replay::RunFacts facts{.discount = .9f, .seed = 7, .reward = {}};

// What a row holds tells its number. Floats hold these numbers exactly.
float observation_of(std::int64_t row, int o) { return float(row * 100 + o); }
float next_of(std::int64_t row, int o) { return -float(row * 100 + o) - .5f; }
std::int32_t action_of(std::int64_t row) { return std::int32_t(row % 3); }
float reward_of(std::int64_t row) { return float(row) * .25f - 3; }
bool terminated(std::int64_t row) { return row % 5 == 0; }
bool truncated(std::int64_t row) { return row % 5 == 1; }

/// Rows [first, first + N).
template <class Observations>
test::HostRows<Observations> rows_from(std::int64_t first) {
  test::HostRows<Observations> rows;
  for (int e = 0; e < Observations::columns; ++e) {
    const std::int64_t row = first + e;
    for (int o = 0; o < Observations::rows; ++o) {
      rows.observations(o, e) = observation_of(row, o);
      rows.next(o, e) = next_of(row, o);
    }
    rows.actions[e] = action_of(row);
    rows.rewards[e] = reward_of(row);
    rows.terminated[e] = terminated(row);
    rows.truncated[e] = truncated(row);
  }
  return rows;
}

/// The row numbers stand in the batch already.
struct Nothing {
  POLYQ_HD void operator()(std::int64_t) const {}
};

/// A ring on a machine, its clock, and the rows of N environments that it is given.
template <class B, int O, int N>
class TestedRing {
 public:
  using Machine = typename B::Machine;
  using Pushed = polyq::backend::Activations<typename Machine::Storage, float, O, N>;
  template <int Count>
  using Sampled = polyq::backend::Activations<typename Machine::Storage, float, O, Count>;

  explicit TestedRing(std::int64_t capacity, replay::RunFacts of_run = facts)
      : ring(machine, capacity, of_run) {}
  void write(const test::HostRows<Pushed>& rows) { pushed_.upload(machine, rows); }
  /// Stores what was written.
  void enqueue_push() {
    ring.push(machine, clock_.get(), pushed_.view());
    machine.for_each(1, core::Tick{clock_.get(), N, 0});
  }
  /// Writes and stores the next N rows.
  void push_next() {
    write(rows_from<Pushed>(std::int64_t(clock().env_steps)));
    enqueue_push();
  }
  test::HostRows<Pushed> written() { return pushed_.download(machine); }
  core::Clock clock() { return test::value_at(machine, clock_.get()); }
  /// What the ring gives for row numbers; every number starts as one that no row holds.
  template <int Count>
  test::HostBatch<Sampled<Count>> sample(const std::vector<std::int64_t>& numbers) {
    constexpr float unwritten = -1e30f;
    test::HostBatch<Sampled<Count>> batch;
    for (std::vector<float>* floats :
         {&batch.observations.values, &batch.next.values, &batch.rewards, &batch.discounts})
      floats->assign(floats->size(), unwritten);
    batch.actions.assign(Count, -1);
    batch.rows = numbers;
    const test::BatchOn<Machine, Sampled<Count>> memory(machine, batch);
    ring.template draw_and_gather<1>(machine, Nothing{}, clock_.get(), memory.view());
    return test::downloaded(machine, memory.view());
  }

  Machine machine{B{}};
  replay::Ring<Machine, O, 2> ring;

 private:
  test::RowsOn<Machine, Pushed> pushed_{machine};
  typename Machine::template Owned<core::Clock> clock_ =
      test::uploaded(machine, std::vector<core::Clock>(1));
};

/// Whether column i of a batch is exactly that row.
template <class Observations>
bool is_row(const test::HostBatch<Observations>& batch, int i, std::int64_t row) {
  bool same = batch.actions[i] == action_of(row) && batch.rewards[i] == reward_of(row) &&
              batch.discounts[i] == (terminated(row) ? 0 : facts.discount);
  for (int o = 0; o < Observations::rows; ++o)
    same = same && batch.observations(o, i) == observation_of(row, o) &&
           batch.next(o, i) == next_of(row, o);
  return same;
}

/// Pushes `steps` steps of N environments and reads every stored row after each.
template <class B, int O, int N>
void push_and_read(std::int64_t capacity, int steps) {
  constexpr int batch_size = 6;
  TestedRing<B, O, N> tested(capacity);
  tested.ring.attach(N);
  REQUIRE(tested.ring.capacity() == capacity);
  std::int64_t wrong = 0, read = 0;
  for (int step = 0; step < steps; ++step) {
    tested.push_next();
    const auto pushed = std::int64_t(tested.clock().env_steps);
    for (std::int64_t row = pushed < capacity ? 0 : pushed - capacity; row < pushed; ++row) {
      const auto batch =
          tested.template sample<batch_size>(std::vector<std::int64_t>(batch_size, row));
      for (int i = 0; i < batch_size; ++i, ++read) wrong += !is_row(batch, i, row);
    }
  }
  CHECK(read > 0);
  CHECK(wrong == 0);
}

template <class Tested>
struct Push {
  Tested* tested;
  void operator()() const { tested->enqueue_push(); }
};

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

TEST_CASE_TEMPLATE("stored rows come back as they were pushed, also after the ring wrapped", B,
                   POLYQ_BACKENDS) {
  push_and_read<B, 3, 1>(12, 31);  // two and a half times round
  push_and_read<B, 3, 4>(12, 8);
  push_and_read<B, 18, 4>(8, 5);  // 18 features end in pads on EigenCpu
  push_and_read<B, 18, 1>(1, 3);
}

TEST_CASE_TEMPLATE("a newer row overwrites the one a capacity before it, and no other", B,
                   POLYQ_BACKENDS) {
  TestedRing<B, 3, 4> tested(8);
  tested.ring.attach(4);
  for (int step = 0; step < 3; ++step) tested.push_next();
  const auto batch = tested.template sample<12>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  for (int row = 0; row < 12; ++row) {
    CAPTURE(row);  // rows 0 to 3 stood where 8 to 11 stand now
    CHECK(is_row(batch, row, row < 4 ? row + 8 : row));
  }
}

TEST_CASE_TEMPLATE("a recording pushes at the clock's cursor", B, POLYQ_BACKENDS) {
  using Tested = TestedRing<B, 3, 2>;
  Tested tested(6);
  tested.ring.attach(2);
  auto cycle = tested.machine.record(Push<Tested>{&tested});
  for (int step = 0; step < 7; ++step) {
    tested.write(rows_from<typename Tested::Pushed>(2 * step));
    cycle();
  }
  CHECK(tested.clock().env_steps == 14);
  const auto batch = tested.template sample<6>({8, 9, 10, 11, 12, 13});
  for (int i = 0; i < 6; ++i) CHECK(is_row(batch, i, 8 + i));
}

TEST_CASE_TEMPLATE("a termination has discount 0, a truncation and any other row gamma", B,
                   POLYQ_BACKENDS) {
  using Tested = TestedRing<B, 1, 4>;
  Tested tested(4);
  tested.ring.attach(4);
  auto rows = rows_from<typename Tested::Pushed>(0);
  rows.terminated = {0, 1, 0, 1};
  rows.truncated = {0, 0, 1, 1};
  tested.write(rows);
  tested.enqueue_push();
  CHECK(tested.template sample<4>({0, 1, 2, 3}).discounts == std::vector<float>{.9f, 0, .9f, 0});
}

TEST_CASE_TEMPLATE("the reward is transformed as it is sampled, not as it is stored", B,
                   POLYQ_BACKENDS) {
  using Tested = TestedRing<B, 1, 4>;
  const auto sample = [&](polyq::math::RewardTransform transform) {
    Tested tested(4, {.9f, 7, transform});
    tested.ring.attach(4);
    auto rows = rows_from<typename Tested::Pushed>(0);
    rows.rewards = {-8, -1, .5f, 6};
    tested.write(rows);
    tested.enqueue_push();
    CHECK(tested.written().rewards == std::vector<float>{-8, -1, .5f, 6});
    return tested.template sample<4>({0, 1, 2, 3}).rewards;
  };
  CHECK(sample({}) == std::vector<float>{-8, -1, .5f, 6});
  CHECK(sample({.scale = .5f}) == std::vector<float>{-4, -.5f, .25f, 3});
  CHECK(sample({.clip = 1}) == std::vector<float>{-1, -1, .5f, 1});
  CHECK(sample({.scale = .5f, .clip = 1}) == std::vector<float>{-1, -.5f, .25f, 1});
}

TEST_CASE_TEMPLATE("attach and sample refuse what a recording would freeze wrongly", B,
                   POLYQ_BACKENDS) {
  TestedRing<B, 3, 1> tested(12);
  using Sampled = typename TestedRing<B, 3, 1>::template Sampled<6>;
  test::HostBatch<Sampled> untouched;
  untouched.actions.assign(6, -1);
  const test::BatchOn<typename B::Machine, Sampled> sampled(tested.machine, untouched);
  CHECK(message_of<polyq::DeviceError>([&] {
          tested.ring.template draw_and_gather<1>(tested.machine, Nothing{}, nullptr,
                                                  sampled.view());
        }) == "polyq: a sample before attach; make the Actor before the first update");
  CHECK(test::downloaded(tested.machine, sampled.view()).actions ==
        std::vector<std::int32_t>(6, -1));

  CHECK(message_of<polyq::SettingsError>([&] { tested.ring.attach(5); }) ==
        "polyq: replay capacity = 12; allowed: a multiple of the number of environments, 5");
  tested.ring.attach(4);  // what was refused leaves no trace
  tested.ring.attach(4);
  CHECK(message_of<polyq::SettingsError>([&] { tested.ring.attach(3); }) ==
        "polyq: environments of a replay attached before = 3; allowed: 4");
  CHECK(message_of<polyq::SettingsError>([&] { tested.ring.attach(4, true); }) ==
        "polyq: masks of a replay attached before = given; allowed: none");
  TestedRing<B, 3, 1> masked(12);
  masked.ring.attach(4, true);
  CHECK(message_of<polyq::SettingsError>([&] { masked.ring.attach(4, false); }) ==
        "polyq: masks of a replay attached before = none; allowed: given");
}
