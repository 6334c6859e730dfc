// SPDX-License-Identifier: MIT
// Ring: the stored rows as columns of one allocation, time-major: row number = rows before this
// step + lane. The cursor is the clock's count of rows, so that a recording can push. Transitions
// of several steps are folded where they are sampled (Sutton 1988), so that γ and n are no data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "polyq/core/arena.hpp"
#include "polyq/core/error.hpp"
#include "polyq/math/action_mask.hpp"
#include "polyq/math/modulo.hpp"
#include "polyq/replay/concept.hpp"

namespace polyq::replay {

/// Throws SettingsError unless a ring may have this many rows, `field` by name, over all shards.
inline void check_capacity(const std::string& field, std::int64_t capacity, std::int64_t batch_size,
                           std::int64_t shards) {
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  require(capacity >= batch_size * shards && capacity <= most * shards, field, capacity,
          "[" + shown(batch_size * shards) +
              (shards == 1 ? " (the batch size), " : " (the batches of all shards), ") +
              shown(most * shards) + "]");
  require(capacity % shards == 0, field, capacity,
          "a multiple of the number of shards, " + shown(shards));
}

/// Views of the columns; passed by value into functors.
template <int O, int A>
struct RingView {
  static constexpr int words = math::mask_words(A);
  float *observations, *next;  // [O, capacity]
  std::int32_t* actions;
  float* rewards;
  std::uint8_t *terminated, *truncated;
  std::uint32_t *legal, *legal_next;  // [words, capacity]; null where every action is legal
  math::Modulo place;                 // of a row number, mod the capacity

  POLYQ_HD std::int64_t capacity() const { return std::int64_t(place.n()); }

  /// The number of the stored row that stands at a slot.
  POLYQ_HD std::int64_t row_at(std::int64_t slot, std::int64_t pushed) const {
    const std::int64_t oldest = pushed < capacity() ? 0 : pushed - capacity();
    const std::int64_t row = oldest - std::int64_t(place(std::uint64_t(oldest))) + slot;
    return row < oldest ? row + capacity() : row;
  }

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
template <int A, class Observations>
struct Push {
  static constexpr int O = Observations::rows;
  RingView<O, A> ring;
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
    if (ring.legal == nullptr) return;
    for (int w = 0; w < ring.words; ++w) {
      ring.legal[at * ring.words + w] = rows.legal[e * ring.words + w];
      ring.legal_next[at * ring.words + w] = rows.legal_next[e * ring.words + w];
    }
  }
};

/// Fills the batch from the rows that batch.rows [B] names, `Samples` samples at a time. A
/// transition goes on through its environment's next rows until `Steps` of them or the episode's
/// end, with reward Σ γᵏ rₖ, the last row's s′, and discount γⁿ, or 0 behind a termination.
template <int Samples, int Steps, int A, class Observations>
struct Gather {
  static constexpr int O = Observations::rows, B = Observations::columns;
  using View = RingView<O, A>;
  View ring;
  Batch<Observations> batch;
  const core::Clock* clock;
  float discount;
  math::RewardTransform reward;
  std::int64_t environments;  // rows from one of an environment's to its next

  struct Each {
    View ring;
    Batch<Observations> batch;
    typename View::Slots slots;
    float discount;
    math::RewardTransform reward;
    std::int64_t environments;
    POLYQ_HD void operator()(std::int64_t block) const {
      const int begin = int(block) * Samples;
      const int end = B % Samples == 0 || begin + Samples < B ? begin + Samples : B;
      for (int i = begin; i < end; ++i) {
        const std::int64_t at = slots(batch.rows[i]);
        std::int64_t last = at;
        float sum = reward(ring.rewards[at]), factor = discount;
        if constexpr (Steps > 1) {
          for (int k = 1; k < Steps && !(ring.terminated[last] || ring.truncated[last]); ++k) {
            last = slots(batch.rows[i] + k * environments);
            sum += factor * reward(ring.rewards[last]);
            factor *= discount;
          }
        }
        for (int o = 0; o < O; ++o) {
          batch.observations(o, i) = ring.observations[at * O + o];
          batch.next(o, i) = ring.next[last * O + o];
        }
        batch.actions[i] = ring.actions[at];
        batch.rewards[i] = sum;
        batch.discounts[i] = ring.terminated[last] ? 0.f : factor;
        if (ring.legal != nullptr) copy_masks(i, at, last);
      }
    }
    POLYQ_HD void copy_masks(int i, std::int64_t at, std::int64_t last) const {
      for (int w = 0; w < ring.words; ++w) {
        batch.legal[i * ring.words + w] = ring.legal[at * ring.words + w];
        batch.legal_next[i * ring.words + w] = ring.legal_next[last * ring.words + w];
      }
    }
  };
  POLYQ_HD Each prepare() const {
    return {ring, batch, ring.slots(std::int64_t(clock->rows)), discount, reward, environments};
  }
};

/// Marks the newest row of environment e as the last of its episode.
template <int O, int A>
struct CutEpisode {
  RingView<O, A> ring;
  const core::Clock* clock;
  std::int64_t environments;

  POLYQ_HD void operator()(std::int64_t e) const {
    if (clock->rows == 0) return;
    const std::int64_t row = std::int64_t(clock->rows) - environments + e;
    ring.truncated[ring.place(std::uint64_t(row))] = 1;
  }
};

/// Of observations [O] and A actions, for transitions of `Steps` rows.
template <class Machine, int O, int A, int Steps = 1>
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
              nullptr,
              nullptr,
              math::Modulo(std::uint64_t(capacity))},
        machine_(&machine),
        facts_(facts) {}

  /// Says how many environments push at a time, and whether with masks of legal actions; once,
  /// before the first push. Throws SettingsError, DeviceError.
  void attach(std::int64_t environments, bool masked = false) {
    require(environments_ == 0 || environments_ == environments,
            "environments of a replay attached before", environments, shown(environments_));
    require(capacity() % environments == 0, "replay capacity", capacity() * facts_.shards,
            "a multiple of the number of environments, " + shown(environments * facts_.shards));
    require(capacity() >= Steps * environments, "replay capacity", capacity() * facts_.shards,
            ">= " + shown(Steps * environments * facts_.shards) + ", the steps of a transition, " +
                shown(Steps) + ", times the number of environments");
    require(environments_ == 0 || this->masked() == masked, "masks of a replay attached before",
            masked ? "given" : "none", this->masked() ? "given" : "none");
    environments_ = environments;
    if (masked && !masks_) add_masks();
  }
  bool masked() const { return masks_.has_value(); }
  std::int64_t environments() const { return environments_; }

  /// Rows, the newest, with which no transition begins yet: their environments' next ones are to
  /// come.
  std::int64_t unfinished_rows() const { return (Steps - 1) * environments_; }
  std::int64_t rows_needed() const { return unfinished_rows() + 1; }
  template <class Observations>
  void push(Machine& machine, const core::Clock* clock, Rows<Observations> rows) {
    machine.for_each(Observations::columns, Push<A, Observations>{view_, rows, clock});
  }
  /// The environments begin anew: what was pushed goes on no further.
  void cut(Machine& machine, const core::Clock* clock) {
    if constexpr (Steps > 1)
      machine.for_each(environments_, CutEpisode<O, A>{view_, clock, environments_});
  }
  /// Fills the batch, `Samples` samples at a time: draw(k) writes batch.rows from k · Samples on,
  /// whose rows are then copied.
  template <int Samples, class Draw, class Observations>
  void draw_and_gather(Machine& machine, Draw draw, const core::Clock* clock,
                       Batch<Observations> batch) {
    if (environments_ == 0)
      throw DeviceError("polyq: a sample before attach; make the Actor before the first update");
    using Copy = Gather<Samples, Steps, A, Observations>;
    const Copy copy{view_, batch, clock, facts_.discount, facts_.reward, environments_};
    machine.for_each((Observations::columns + Samples - 1) / Samples, backend::Then{draw, copy});
  }
  const RingView<O, A>& view() const { return view_; }
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

  void add_masks() {
    core::Layout all;
    const std::size_t count = std::size_t(capacity()) * view_.words;
    const auto legal = all.place<std::uint32_t>(count), next = all.place<std::uint32_t>(count);
    masks_.emplace(*machine_, all.bytes(), "the replay's masks of legal actions");
    view_.legal = (*masks_)[legal];
    view_.legal_next = (*masks_)[next];
  }

  Columns columns_;
  core::Arena<Machine> memory_;
  std::optional<core::Arena<Machine>> masks_;
  RingView<O, A> view_;
  Machine* machine_;
  RunFacts facts_;
  std::int64_t environments_ = 0;
};

}  // namespace polyq::replay
