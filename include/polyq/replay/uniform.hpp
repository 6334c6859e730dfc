// SPDX-License-Identifier: MIT
// Uniform: every stored row with equal probability, with replacement (Lin 1992).
#pragma once
#include <cstdint>
#include <tuple>

#include "polyq/core/random.hpp"
#include "polyq/replay/ring.hpp"

namespace polyq::replay {

/// Draws the row numbers of a batch, those of one Philox block at a time.
template <int BatchSize>
struct DrawRows {
  static constexpr int words = 4;
  std::int64_t* rows;
  const core::Clock* clock;
  std::int64_t capacity, unfinished;  // the newest rows, which are not drawn
  std::uint64_t seed;
  int shard;

  struct Each {
    std::int64_t* rows;
    std::int64_t oldest;
    std::uint32_t stored;
    std::uint64_t step, seed;
    // Inlined by force: only then several blocks share a vector.
    [[gnu::always_inline]] POLYQ_HD void operator()(std::int64_t block) const {
      const core::Words drawn =
          core::philox(seed, core::Stream::sample, step, std::uint32_t(block));
      const std::int64_t begin = block * words;
      for (int k = 0; k < words; ++k)
        if (BatchSize % words == 0 || begin + k < BatchSize)
          rows[begin + k] = oldest + core::below(drawn.word[k], stored);
    }
  };
  POLYQ_HD Each prepare() const {
    const std::int64_t pushed = std::int64_t(clock->rows);
    const std::int64_t stored = pushed < capacity ? pushed : capacity;
    // Shards lie apart in the step's upper bits: a lane of its own would spill a GPU's registers.
    const std::uint64_t step = clock->updates | std::uint64_t(shard) << 48;
    const std::int64_t drawn = stored > unfinished ? stored - unfinished : 1;
    return {rows, pushed - stored, std::uint32_t(drawn), step, seed};
  }
};

template <int BatchSize>
struct Uniform {
  static_assert(BatchSize > 0, "polyq::replay::Uniform: the batch is below 1; Uniform<64>");
  static constexpr int batch_size = BatchSize, steps = 1;
  static constexpr bool weighted = false;

  std::int64_t capacity = 50'000;  // rows, of all shards; a multiple of all environments

  auto fields() const { return std::tie(capacity); }

  /// Throws SettingsError.
  void check(std::int64_t shards = 1) const {
    check_capacity("Uniform.capacity", capacity, batch_size, shards);
  }

  /// `Steps`: rows of a transition, by NStep.
  template <class Machine, class Shapes, int Steps = 1>
  class On {
    using Sampled = Batch<typename Shapes::template Observations<Shapes::B>>;

   public:
    On(Machine& machine, const Uniform& settings, RunFacts facts)
        : ring_(machine, (settings.check(facts.shards), settings.capacity / facts.shards), facts) {}

    void attach(std::int64_t environments, bool masked = false) {
      ring_.attach(environments, masked);
    }
    void cut(Machine& machine, const core::Clock* clock) { ring_.cut(machine, clock); }
    bool masked() const { return ring_.masked(); }
    std::int64_t rows_needed() const { return ring_.rows_needed(); }

    template <class Observations>
    void push(Machine& machine, const core::Clock* clock, Rows<Observations> rows) {
      ring_.push(machine, clock, rows);
    }
    /// rows_needed() rows must have been pushed when this runs.
    void sample(Machine& machine, const core::Clock* clock, Sampled batch) {
      using Draw = DrawRows<BatchSize>;
      const Draw draw{batch.rows,         clock,
                      ring_.capacity(),   ring_.unfinished_rows(),
                      ring_.facts().seed, ring_.facts().shard};
      ring_.template draw_and_gather<Draw::words>(machine, draw, clock, batch);
    }
    void reprioritize(Machine&, Sampled, const float*) {}

   private:
    Ring<Machine, Shapes::O, Shapes::A, Steps> ring_;
  };
};

}  // namespace polyq::replay
