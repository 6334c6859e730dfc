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

/// Rows [first, first + N) in host memory.
template <class Machine, int O, int N>
struct Written {
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, N>;
  std::vector<float> observations = std::vector<float>(Observations::stride * N);
  std::vector<float> next = observations;
  std::vector<std::int32_t> actions = std::vector<std::int32_t>(N);
  std::vector<float> rewards = std::vector<float>(N);
  std::vector<std::uint8_t> ends = std::vector<std::uint8_t>(N), cuts = ends;

  replay::Rows<Observations> rows() {
    return {{observations.data()}, {next.data()}, actions.data(),
            rewards.data(),        ends.data(),   cuts.data()};
  }
  void write(std::int64_t first) {
    for (int e = 0; e < N; ++e) {
      const std::int64_t row = first + e;
      for (int o = 0; o < O; ++o) {
        rows().observations(o, e) = observation_of(row, o);
        rows().next(o, e) = next_of(row, o);
      }
      actions[e] = action_of(row);
      rewards[e] = reward_of(row);
      ends[e] = terminated(row);
      cuts[e] = truncated(row);
    }
  }
};

/// A batch in host memory; every number starts as one that no row holds.
template <class Machine, int O, int B>
struct Sampled {
  static constexpr float unwritten = -1e30f;
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, B>;
  std::vector<float> observations = std::vector<float>(Observations::stride * B, unwritten);
  std::vector<float> next = observations;
  std::vector<std::int32_t> actions = std::vector<std::int32_t>(B, -1);
  std::vector<float> rewards = std::vector<float>(B, unwritten), discounts = rewards;
  std::vector<std::int64_t> rows = std::vector<std::int64_t>(B, -1);

  replay::Batch<Observations> batch() {
    return {{observations.data()}, {next.data()}, actions.data(), rewards.data(),
            discounts.data(),      nullptr,       rows.data()};
  }
};

/// The row numbers stand in the batch already.
struct Nothing {
  void operator()(std::int64_t) const {}
};

template <class Machine, int O, int B>
bool is_row(
    const replay::Batch<polyq::backend::Activations<typename Machine::Storage, float, O, B>>& batch,
    int i, std::int64_t row) {
  bool same = batch.actions[i] == action_of(row) && batch.rewards[i] == reward_of(row) &&
              batch.discounts[i] == (terminated(row) ? 0 : facts.discount);
  for (int o = 0; o < O; ++o)
    same = same && batch.observations(o, i) == observation_of(row, o) &&
           batch.next(o, i) == next_of(row, o);
  return same;
}

/// Pushes `steps` steps of N environments and reads every stored row after each.
template <class B, int O, int N>
void push_and_read(std::int64_t capacity, int steps) {
  using Machine = typename B::Machine;
  constexpr int batch_size = 6;
  Machine machine{B{}};
  core::Clock clock{};
  replay::Ring<Machine, O> ring(machine, capacity, facts);
  ring.attach(N);
  REQUIRE(ring.capacity() == capacity);
  Written<Machine, O, N> written;
  Sampled<Machine, O, batch_size> sampled;
  std::int64_t wrong = 0, read = 0;
  for (int step = 0; step < steps; ++step) {
    written.write(std::int64_t(clock.env_steps));
    ring.push(machine, &clock, written.rows());
    clock.env_steps += N;
    const std::int64_t pushed = std::int64_t(clock.env_steps);
    for (std::int64_t row = pushed < capacity ? 0 : pushed - capacity; row < pushed; ++row) {
      for (std::int64_t& each : sampled.rows) each = row;
      ring.draw_and_gather(machine, 0, Nothing{}, &clock, sampled.batch());
      for (int i = 0; i < batch_size; ++i, ++read)
        wrong += !is_row<Machine, O, batch_size>(sampled.batch(), i, row);
    }
  }
  CHECK(read > 0);
  CHECK(wrong == 0);
}

template <class Machine, int O, int N>
struct PushAndTick {
  struct Parts {
    Machine& machine;
    replay::Ring<Machine, O>& ring;
    core::Clock clock;
    Written<Machine, O, N> written;
  };
  Parts* parts;
  void operator()() const {
    parts->ring.push(parts->machine, &parts->clock, parts->written.rows());
    parts->machine.for_each(1, core::Tick{&parts->clock, N, 0});
  }
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
  using Machine = typename B::Machine;
  Machine machine{B{}};
  core::Clock clock{};
  replay::Ring<Machine, 3> ring(machine, 8, facts);
  ring.attach(4);
  Written<Machine, 3, 4> written;
  for (int step = 0; step < 3; ++step, clock.env_steps += 4) {
    written.write(4 * step);
    ring.push(machine, &clock, written.rows());
  }
  Sampled<Machine, 3, 12> sampled;
  for (int row = 0; row < 12; ++row) sampled.rows[row] = row;
  ring.draw_and_gather(machine, 0, Nothing{}, &clock, sampled.batch());
  for (int row = 0; row < 12; ++row) {
    CAPTURE(row);  // rows 0 to 3 stood where 8 to 11 stand now
    CHECK(is_row<Machine, 3, 12>(sampled.batch(), row, row < 4 ? row + 8 : row));
  }
}

TEST_CASE_TEMPLATE("a recording pushes at the clock's cursor", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using Cycle = PushAndTick<Machine, 3, 2>;
  Machine machine{B{}};
  replay::Ring<Machine, 3> ring(machine, 6, facts);
  ring.attach(2);
  typename Cycle::Parts parts{machine, ring, {}, {}};
  auto cycle = machine.record(Cycle{&parts});
  for (int step = 0; step < 7; ++step) {
    parts.written.write(2 * step);
    cycle();
  }
  CHECK(parts.clock.env_steps == 14);
  Sampled<Machine, 3, 6> sampled;
  for (int i = 0; i < 6; ++i) sampled.rows[i] = 8 + i;
  ring.draw_and_gather(machine, 0, Nothing{}, &parts.clock, sampled.batch());
  for (int i = 0; i < 6; ++i) CHECK(is_row<Machine, 3, 6>(sampled.batch(), i, 8 + i));
}

TEST_CASE_TEMPLATE("a termination has discount 0, a truncation and any other row gamma", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine{B{}};
  core::Clock clock{};
  replay::Ring<Machine, 1> ring(machine, 4, facts);
  ring.attach(4);
  Written<Machine, 1, 4> written;
  written.write(0);
  written.ends = {0, 1, 0, 1};
  written.cuts = {0, 0, 1, 1};
  ring.push(machine, &clock, written.rows());
  Sampled<Machine, 1, 4> sampled;
  sampled.rows = {0, 1, 2, 3};
  ring.draw_and_gather(machine, 0, Nothing{}, &clock, sampled.batch());
  CHECK(sampled.discounts == std::vector<float>{.9f, 0, .9f, 0});
}

TEST_CASE_TEMPLATE("the reward is transformed as it is sampled, not as it is stored", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine{B{}};
  core::Clock clock{};
  const auto sample = [&](polyq::math::RewardTransform transform) {
    replay::Ring<Machine, 1> ring(machine, 4, {.9f, 7, transform});
    ring.attach(4);
    Written<Machine, 1, 4> written;
    written.write(0);
    written.rewards = {-8, -1, .5f, 6};
    ring.push(machine, &clock, written.rows());
    CHECK(written.rewards == std::vector<float>{-8, -1, .5f, 6});
    Sampled<Machine, 1, 4> sampled;
    sampled.rows = {0, 1, 2, 3};
    ring.draw_and_gather(machine, 0, Nothing{}, &clock, sampled.batch());
    return sampled.rewards;
  };
  CHECK(sample({}) == std::vector<float>{-8, -1, .5f, 6});
  CHECK(sample({.scale = .5f}) == std::vector<float>{-4, -.5f, .25f, 3});
  CHECK(sample({.clip = 1}) == std::vector<float>{-1, -1, .5f, 1});
  CHECK(sample({.scale = .5f, .clip = 1}) == std::vector<float>{-1, -.5f, .25f, 1});
}

TEST_CASE_TEMPLATE("attach and sample refuse what a recording would freeze wrongly", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine{B{}};
  replay::Ring<Machine, 3> ring(machine, 12, facts);
  Sampled<Machine, 3, 6> sampled;
  CHECK(message_of<polyq::DeviceError>([&] {
          ring.draw_and_gather(machine, 0, Nothing{}, nullptr, sampled.batch());
        }) == "polyq: a sample before attach; make the Actor before the first update");
  CHECK(sampled.actions == std::vector<std::int32_t>(6, -1));

  CHECK(message_of<polyq::SettingsError>([&] { ring.attach(5); }) ==
        "polyq: replay capacity = 12; allowed: a multiple of the number of environments, 5");
  ring.attach(4);  // what was refused leaves no trace
  ring.attach(4);
  CHECK(message_of<polyq::SettingsError>([&] { ring.attach(3); }) ==
        "polyq: environments of a replay attached before = 3; allowed: 4");
}
