// SPDX-License-Identifier: MIT
// The least that a user's replay may be: it meets the concept, feeds a batch, and is refused when
// something is missing.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/replay/concept.hpp>
#include <polyq/replay/ring.hpp>
#include <polyq/replay/uniform.hpp>
#include <vector>

#include "backends.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace replay = polyq::replay;

/// A user's replay: always the newest row. Ring stores; only what is drawn is its own.
template <int BatchSize>
struct Newest {
  static constexpr int batch_size = BatchSize, steps = 1;
  static constexpr bool weighted = false;
  std::int64_t capacity = 100;

  struct Draw {
    std::int64_t* rows;
    const core::Clock* clock;
    struct Each {
      std::int64_t *rows, newest;
      POLYQ_HD void operator()(std::int64_t i) const { rows[i] = newest; }
    };
    POLYQ_HD Each prepare() const { return {rows, std::int64_t(clock->env_steps) - 1}; }
  };
  template <class Machine, class Shapes>
  struct On {
    using Sampled = replay::Batch<typename Shapes::template Observations<BatchSize>>;
    replay::Ring<Machine, Shapes::O, Shapes::A> ring;

    On(Machine& machine, const Newest& settings, replay::RunFacts facts)
        : ring(machine, settings.capacity, facts) {}
    void attach(std::int64_t environments, bool masked) { ring.attach(environments, masked); }
    void cut(Machine& machine, const core::Clock* clock) { ring.cut(machine, clock); }
    bool masked() const { return ring.masked(); }
    std::int64_t rows_needed() const { return ring.rows_needed(); }
    template <class Observations>
    void push(Machine& machine, const core::Clock* clock, replay::Rows<Observations> rows) {
      ring.push(machine, clock, rows);
    }
    void sample(Machine& machine, const core::Clock* clock, Sampled batch) {
      ring.template draw_and_gather<1>(machine, Draw{batch.rows, clock}, clock, batch);
    }
    void reprioritize(Machine&, Sampled, const float*) {}
  };
};

/// Lacks reprioritize.
struct Forgetful {
  static constexpr int batch_size = 5, steps = 1;
  static constexpr bool weighted = false;
  template <class Machine, class Shapes>
  struct On {
    On(Machine&, Forgetful, replay::RunFacts);
    void attach(std::int64_t, bool);
    void cut(Machine&, const core::Clock*);
    bool masked() const;
    std::int64_t rows_needed() const;
    template <class Observations>
    void push(Machine&, const core::Clock*, replay::Rows<Observations>);
    template <class Batch>
    void sample(Machine&, const core::Clock*, Batch);
  };
};

/// Does not say whether it is weighted.
struct Silent : Newest<5> {
  int weighted() const;
};

/// Cannot be made from the facts of a run.
struct Timeless;
template <class Machine, class Shapes>
struct OnTimeless : Newest<5>::On<Machine, Shapes> {
  OnTimeless(Machine&, Timeless);
};
struct Timeless : Newest<5> {
  template <class Machine, class Shapes>
  using On = OnTimeless<Machine, Shapes>;
};

template <class Machine>
struct Shapes {
  static constexpr int O = 3, A = 2, B = 5;
  template <int Columns>
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, Columns>;
};

}  // namespace

TEST_CASE_TEMPLATE("the concept takes the library's replay and a user's, and no broken one", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  static_assert(replay::ReplayOn<replay::Uniform<5>, Machine, Shapes<Machine>>);
  static_assert(replay::ReplayOn<Newest<5>, Machine, Shapes<Machine>>);
  static_assert(!replay::ReplayOn<Forgetful, Machine, Shapes<Machine>>);
  static_assert(!replay::ReplayOn<Silent, Machine, Shapes<Machine>>);
  static_assert(!replay::ReplayOn<Timeless, Machine, Shapes<Machine>>);
  static_assert(!replay::ReplayOn<int, Machine, Shapes<Machine>>);
}

TEST_CASE_TEMPLATE("a user's replay feeds the batch", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using One = typename Shapes<Machine>::template Observations<1>;
  using Five = typename Shapes<Machine>::template Observations<5>;
  Machine machine{B{}};
  const auto clock = test::uploaded(machine, std::vector<core::Clock>(1));
  typename Newest<5>::template On<Machine, Shapes<Machine>> on(machine, {}, {.9f, 1, {}});
  on.attach(1, false);

  test::RowsOn<Machine, One> memory(machine);
  for (int i = 0; i < 3; ++i) {
    test::HostRows<One> row;
    for (int o = 0; o < 3; ++o) {
      row.observations(o, 0) = float(o == 0 ? i : o);
      row.next(o, 0) = o == 0 ? float(i) + .5f : float(o + 2);
    }
    row.actions[0] = i;
    row.rewards[0] = float(i) * 10;
    memory.upload(machine, row);
    on.push(machine, clock.get(), memory.view());
    machine.for_each(1, core::Tick{clock.get(), 1, 0});
  }
  const test::BatchOn<Machine, Five> sampled(machine);
  on.sample(machine, clock.get(), sampled.view());
  const auto batch = test::downloaded(machine, sampled.view());
  for (int i = 0; i < 5; ++i) {
    CHECK(batch.rows[i] == 2);
    CHECK(batch.observations(0, i) == 2);
    CHECK(batch.observations(2, i) == 2);
    CHECK(batch.next(0, i) == 2.5f);
    CHECK(batch.actions[i] == 2);
    CHECK(batch.rewards[i] == 20);
    CHECK(batch.discounts[i] == .9f);
  }
}
