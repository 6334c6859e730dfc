// SPDX-License-Identifier: MIT
// Ring: the stored rows as columns of one allocation, time-major: row number = rows before this
// step + lane. The cursor is the clock's count of rows, so that a recording can push.
#pragma once
#include <cstddef>
#include <cstdint>

#include "polyq/core/arena.hpp"
#include "polyq/core/error.hpp"
#include "polyq/math/modulo.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq::replay {

/// Views of the columns; passed by value into functors.
template <int O>
struct RingView {
  float *observations, *next;  // [O, capacity]
  std::int32_t* actions;
  float* rewards;
  std::uint8_t *terminated, *truncated;
  math::Modulo place;  // of a row number, mod the capacity

  POLYQ_HD std::int64_t capacity() const { return std::int64_t(place.n()); }

  /// Where stored rows stand, by one modulo for all of them.
  struct Slots {
    std::int64_t oldest_lap, capacity;  // the oldest stored row's lap begins at row `oldest_lap`
    POLYQ_HD std::int64_t operator()(std::int64_t row) const {
      const std::int64_t at = row - oldest_lap;
      return at < capacity ? at : at - capacity;
    }
  };
  POLYQ_HD Slots slots(std::int64_t pushed) const {
    const std::int64_t oldest = pushed < capacity() ? 0 : pushed - capacity();
    return {oldest - std::int64_t(place(std::uint64_t(oldest))), capacity()};
  }
};

/// Stores environment e's row.
template <class Observations>
struct Push {
  static constexpr int O = Observations::rows;
  RingView<O> ring;
  Rows<Observations> rows;
  const core::Clock* clock;

  POLYQ_HD void operator()(std::int64_t e) const {
    const std::int64_t at = std::int64_t(ring.place(clock->rows + std::uint64_t(e)));
    for (int o = 0; o < O; ++o) {
      ring.observations[at * O + o] = rows.observations(o, int(e));
      ring.next[at * O + o] = rows.next(o, int(e));
    }
    ring.actions[at] = rows.actions[e];
    ring.rewards[at] = rows.rewards[e];
    ring.terminated[at] = rows.terminated[e];
    ring.truncated[at] = rows.truncated[e];
  }
};

/// Copies the rows that batch.rows [B] names into the batch, those of `Samples` samples at a time.
template <int Samples, class Observations>
struct Gather {
  static constexpr int O = Observations::rows, B = Observations::columns;
  RingView<O> ring;
  Batch<Observations> batch;
  const core::Clock* clock;
  float discount;
  math::RewardTransform reward;

  struct Each {
    RingView<O> ring;
    Batch<Observations> batch;
    typename RingView<O>::Slots slots;
    float discount;
    math::RewardTransform reward;
    POLYQ_HD void operator()(std::int64_t block) const {
      const int begin = int(block) * Samples;
      const int end = B % Samples == 0 || begin + Samples < B ? begin + Samples : B;
      for (int i = begin; i < end; ++i) {
        const std::int64_t at = slots(batch.rows[i]);
        for (int o = 0; o < O; ++o) {
          batch.observations(o, i) = ring.observations[at * O + o];
          batch.next(o, i) = ring.next[at * O + o];
        }
        batch.actions[i] = ring.actions[at];
        batch.rewards[i] = reward(ring.rewards[at]);
        batch.discounts[i] = ring.terminated[at] ? 0.f : discount;
      }
    }
  };
  POLYQ_HD Each prepare() const {
    return {ring, batch, ring.slots(std::int64_t(clock->rows)), discount, reward};
  }
};

template <class Machine, int O>
class Ring {
 public:
  /// Throws DeviceError when the machine has not the memory.
  Ring(Machine& machine, std::int64_t capacity, RunFacts facts)
      : columns_(std::size_t(capacity)),
        memory_(machine, columns_.all.bytes(), "the replay's rows"),
        view_{memory_[columns_.observations],
              memory_[columns_.next],
              memory_[columns_.actions],
              memory_[columns_.rewards],
              memory_[columns_.terminated],
              memory_[columns_.truncated],
              math::Modulo(std::uint64_t(capacity))},
        facts_(facts) {}

  /// Says how many environments push at a time; once, before the first push.
  void attach(std::int64_t environments) {
    require(environments_ == 0 || environments_ == environments,
            "environments of a replay attached before", environments, shown(environments_));
    require(capacity() % environments == 0, "replay capacity", capacity() * facts_.shards,
            "a multiple of the number of environments, " + shown(environments * facts_.shards));
    environments_ = environments;
  }
  template <class Observations>
  void push(Machine& machine, const core::Clock* clock, Rows<Observations> rows) {
    machine.for_each(Observations::columns, Push<Observations>{view_, rows, clock});
  }
  /// Fills the batch, `Samples` samples at a time: draw(k) writes batch.rows from k · Samples on,
  /// whose rows are then copied.
  template <int Samples, class Draw, class Observations>
  void draw_and_gather(Machine& machine, Draw draw, const core::Clock* clock,
                       Batch<Observations> batch) {
    if (environments_ == 0)
      throw DeviceError("polyq: a sample before attach; make the Actor before the first update");
    using Copy = Gather<Samples, Observations>;
    const Copy copy{view_, batch, clock, facts_.discount, facts_.reward};
    machine.for_each((Observations::columns + Samples - 1) / Samples, backend::Then{draw, copy});
  }
  std::int64_t capacity() const { return view_.capacity(); }
  const RunFacts& facts() const { return facts_; }

 private:
  struct Columns {
    explicit Columns(std::size_t n)
        : observations(all.place<float>(n * O)),
          next(all.place<float>(n * O)),
          actions(all.place<std::int32_t>(n)),
          rewards(all.place<float>(n)),
          terminated(all.place<std::uint8_t>(n)),
          truncated(all.place<std::uint8_t>(n)) {}
    core::Layout all;
    core::Place<float> observations, next;
    core::Place<std::int32_t> actions;
    core::Place<float> rewards;
    core::Place<std::uint8_t> terminated, truncated;
  };

  Columns columns_;
  core::Arena<Machine> memory_;
  RingView<O> view_;
  RunFacts facts_;
  std::int64_t environments_ = 0;
};

}  // namespace polyq::replay
