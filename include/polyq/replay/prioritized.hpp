// SPDX-License-Identifier: MIT
// Prioritized: rows drawn in proportion to a power of their last error (Schaul et al. 2016), with
// the weights that undo the bias. More than 300 lines because drawing, weighing, entering and
// changing a priority are one agreement over the tree's leaves.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "polyq/core/random.hpp"
#include "polyq/math/finite.hpp"
#include "polyq/math/schedule.hpp"
#include "polyq/replay/ring.hpp"
#include "polyq/replay/sum_tree.hpp"

namespace polyq::replay {

/// What a tree of priorities keeps beside its leaves.
struct PriorityState {
  float largest;      // priority with which new rows enter
  bool faulty;        // an error was not finite
  float fault_value;  // the first of them
  std::int64_t fault_row;
};

/// Draws sample i's row from the i-th of B equal parts of the priorities' sum, those of one Philox
/// block at a time; batch.weights[i] ← the row's priority.
template <int BatchSize, int O, int A>
struct DrawByPriority {
  static constexpr int words = 4;
  SumTree tree;
  RingView<O, A> ring;
  std::int64_t* rows;
  float* priorities;
  const core::Clock* clock;
  std::uint64_t seed;
  int shard;

  struct Each {
    SumTree tree;
    RingView<O, A> ring;
    std::int64_t* rows;
    float* priorities;
    std::int64_t pushed;
    std::uint64_t step, seed;
    POLYQ_HD void operator()(std::int64_t block) const {
      const core::Words drawn =
          core::philox(seed, core::Stream::sample, step, std::uint32_t(block));
      const int begin = int(block) * words;
      for (int k = 0; k < words; k += pair) draw_pair(begin + k, drawn.word + k);
    }

   private:
    static constexpr int pair = 2;  // more at a time would spill a GPU's registers
    POLYQ_HD void draw_pair(int first, const std::uint32_t* drawn) const {
      double masses[pair];
      std::int64_t slots[pair];
      for (int k = 0; k < pair; ++k)
        masses[k] =
            (double(first + k) + double(drawn[k]) * 0x1p-32) / BatchSize * double(tree.total());
      tree.find(masses, slots);
      for (int k = 0; k < pair; ++k)
        if (BatchSize % words == 0 || first + k < BatchSize) {
          rows[first + k] = ring.row_at(slots[k], pushed);
          priorities[first + k] = tree.leaf(slots[k]);
        }
    }
  };
  POLYQ_HD Each prepare() const {
    // Shards lie apart in the step's upper bits, as in Uniform's draws.
    const std::uint64_t step = clock->updates | std::uint64_t(shard) << 48;
    return {tree, ring, rows, priorities, std::int64_t(clock->rows), step, seed};
  }
};

/// weights [B]: from priorities p to (N·P)^−β divided by the batch's largest, which is
/// (the smallest p / p)^β: number and sum of the rows cancel.
struct WeighSamples {
  float* weights;
  int samples;
  math::Schedule beta;  // over updates
  const core::Clock* clock;

  struct Negated {
    const float* values;
    POLYQ_HD float operator()(int i) const { return -values[i]; }
  };
  struct Weigh {
    float* weights;
    float smallest, beta;
    POLYQ_HD void operator()(int i) const {
      weights[i] = weights[i] > 0 ? std::pow(smallest / weights[i], beta) : 0.f;  // 0: too few rows
    }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    const float smallest = -team.max(samples, Negated{weights});
    team.for_each(samples, Weigh{weights, smallest, beta.at(clock->updates)});
  }
};

/// Sets the priorities of a batch's rows from their errors. Of a row that stands in it several
/// times the last counts.
template <int BatchSize, int O, int A>
struct Reprioritize {
  SumTree tree;
  RingView<O, A> ring;
  const std::int64_t* rows;
  const float* errors;
  float alpha;
  PriorityState* state;

  struct SlotOf {
    RingView<O, A> ring;
    const std::int64_t* rows;
    POLYQ_HD std::int64_t operator()(int i) const {
      return std::int64_t(ring.place(std::uint64_t(rows[i])));
    }
  };
  struct Set {
    Reprioritize all;
    POLYQ_HD void operator()(int i) const {
      bool again = false;  // collected, not left at: a vector's loop
      for (int later = i + 1; later < BatchSize; ++later) again |= all.rows[later] == all.rows[i];
      const float error = all.errors[i];
      if (!again && math::is_finite(error)) all.tree.leaf(all.slot_of()(i)) = all.priority(error);
    }
  };
  struct SetPriority {
    Reprioritize all;
    POLYQ_HD float operator()(int i) const { return all.tree.leaf(all.slot_of()(i)); }
  };
  /// Negated, so that the largest is the first.
  struct FaultAt {
    const float* errors;
    POLYQ_HD float operator()(int i) const {
      return math::is_finite(errors[i]) ? -float(BatchSize) : -float(i);
    }
  };
  struct Keep {
    Reprioritize all;
    float largest;
    int fault;
    POLYQ_HD void operator()(int) const {
      PriorityState& state = *all.state;
      if (largest > state.largest) state.largest = largest;
      if (fault < BatchSize && !state.faulty)
        state = {state.largest, true, all.errors[fault], all.rows[fault]};
    }
  };

  POLYQ_HD SlotOf slot_of() const { return {ring, rows}; }
  /// (|δ| + 10⁻⁶)^α: no row is lost for ever.
  POLYQ_HD float priority(float error) const {
    return std::pow((error < 0 ? -error : error) + 1e-6f, alpha);
  }
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    team.for_each(BatchSize, Set{*this});
    const float largest = team.max(BatchSize, SetPriority{*this});
    const int fault = -int(team.max(BatchSize, FaultAt{errors}));
    team.for_each(1, Keep{*this, largest, fault});
    tree.update(team, BatchSize, slot_of());
  }
};

/// Gives the rows that N environments just pushed, or those whose transitions they completed, the
/// largest priority so far; a row whose transition is not complete has none.
template <int O, int A>
struct EnterRows {
  SumTree tree;
  RingView<O, A> ring;
  const core::Clock* clock;
  const PriorityState* state;
  std::int64_t environments, unfinished;

  struct Set {
    SumTree tree;
    std::int64_t first;
    float priority;
    POLYQ_HD void operator()(int e) const { tree.leaf(first + e) = priority; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    const std::int64_t pushed = std::int64_t(clock->rows);
    if (unfinished > 0) enter(team, pushed, 0);
    if (pushed >= unfinished) enter(team, pushed - unfinished, state->largest);
  }

 private:
  // The capacity is a multiple of the environments: a step's rows never wrap.
  template <class Team>
  POLYQ_HD void enter(const Team& team, std::int64_t row, float priority) const {
    const std::int64_t first = std::int64_t(ring.place(std::uint64_t(row)));
    team.for_each(int(environments), Set{tree, first, priority});
    tree.update_range(team, first, environments);
  }
};

/// Recomputes everything above the leaves.
struct RebuildTree {
  SumTree tree;
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    tree.update_range(team, 0, tree.leaves());
  }
};

template <int BatchSize>
struct Prioritized {
  static_assert(BatchSize > 0, "polyq::replay::Prioritized: the batch is below 1; Prioritized<64>");
  static constexpr int batch_size = BatchSize, steps = 1;
  static constexpr bool weighted = true;

  std::int64_t capacity = 50'000;  // rows, of all shards; a multiple of all environments
  float alpha = .5f;               // 0 draws as Uniform does
  math::Schedule beta = math::Schedule::linear(.4f, 1, 50'000);  // over updates; 1: no bias left

  auto fields() const { return std::tie(capacity, alpha, beta); }

  /// Throws SettingsError.
  void check(std::int64_t shards = 1) const {
    check_capacity("Prioritized.capacity", capacity, batch_size, shards);
    require(alpha >= 0 && alpha <= 1, "Prioritized.alpha", alpha, "[0, 1]");
    beta.check_within("Prioritized.beta", 0, 1);
  }

  /// `Steps`: rows of a transition, by NStep.
  template <class Machine, class Shapes, int Steps = 1>
  class On {
    static constexpr int O = Shapes::O, A = Shapes::A;
    using Sampled = Batch<typename Shapes::template Observations<Shapes::B>>;

   public:
    On(Machine& machine, const Prioritized& settings, RunFacts facts)
        : settings_((settings.check(facts.shards), settings)),
          ring_(machine, settings.capacity / facts.shards, facts),
          nodes_(machine.template allocate<float>(SumTree::size(ring_.capacity()),
                                                  "the replay's priorities")),
          state_(machine.template allocate<PriorityState>(1, "the replay's priorities")),
          tree_(nodes_.get(), ring_.capacity()) {
      machine.zero(nodes_.get(), SumTree::size(ring_.capacity()) * sizeof(float));
      const PriorityState start{1, false, 0, 0};
      machine.upload(state_.get(), &start, 1);
    }

    void attach(std::int64_t environments, bool masked = false) {
      ring_.attach(environments, masked);
    }
    void cut(Machine& machine, const core::Clock* clock) { ring_.cut(machine, clock); }
    bool masked() const { return ring_.masked(); }
    std::int64_t rows_needed() const { return ring_.rows_needed(); }

    template <class Observations>
    void push(Machine& machine, const core::Clock* clock, Rows<Observations> rows) {
      ring_.push(machine, clock, rows);
      machine.for_each_team(1, EnterRows<O, A>{tree_, ring_.view(), clock, state_.get(),
                                               ring_.environments(), ring_.unfinished_rows()});
    }
    /// rows_needed() rows must have been pushed when this runs.
    void sample(Machine& machine, const core::Clock* clock, Sampled batch) {
      using Draw = DrawByPriority<BatchSize, O, A>;
      const Draw draw{tree_, ring_.view(),       batch.rows,         batch.weights,
                      clock, ring_.facts().seed, ring_.facts().shard};
      ring_.template draw_and_gather<Draw::words>(machine, draw, clock, batch);
      machine.for_each_team(1, WeighSamples{batch.weights, BatchSize, settings_.beta, clock});
    }
    void reprioritize(Machine& machine, Sampled batch, const float* td) {
      machine.for_each_team(1, Reprioritize<BatchSize, O, A>{tree_, ring_.view(), batch.rows, td,
                                                             settings_.alpha, state_.get()});
    }

    /// Throws DivergenceError when an error was not finite since the start. Waits.
    void refuse_faults(Machine& machine) const {
      PriorityState state;
      machine.download(&state, state_.get(), 1);
      if (state.faulty)
        throw DivergenceError("polyq: learning diverged: the error of replay row " +
                              shown(state.fault_row) + " = " + shown(state.fault_value) +
                              "; allowed: finite numbers; lower the learning rate");
    }
    /// The priorities of the stored rows by their places [capacity of the shard]. Waits.
    std::vector<float> priorities(Machine& machine) const {
      std::vector<float> leaves(std::size_t(ring_.capacity()));
      machine.download(leaves.data(), &tree_.leaf(0), leaves.size());
      return leaves;
    }
    /// Sets them, as they are drawn by, α applied. Throws SettingsError for a wrong number of them,
    /// for one that is not finite or below 0, for one above 0 where no transition begins (no row,
    /// or one of the newest of several steps), and where all are 0. Waits.
    void set_priorities(Machine& machine, const core::Clock* clock,
                        std::span<const float> priorities) {
      require(std::int64_t(priorities.size()) == ring_.capacity(), "number of priorities",
              priorities.size(), shown(ring_.capacity()) + ", the replay's capacity");
      core::Clock now;
      PriorityState state;
      machine.download(&now, clock, 1);
      machine.download(&state, state_.get(), 1);
      const std::int64_t pushed = std::int64_t(now.rows), end = pushed - ring_.unfinished_rows();
      float largest = 0;
      for (std::size_t i = 0; i < priorities.size(); ++i) {
        const bool begins = ring_.view().row_at(std::int64_t(i), pushed) < end;
        if (!math::is_finite(priorities[i]) || priorities[i] < 0 || (!begins && priorities[i] > 0))
          require(false, "priority[" + shown(i) + "]", priorities[i],
                  begins ? "finite and >= 0" : "0, since no transition begins there");
        largest = std::max(largest, priorities[i]);
      }
      require(largest > 0, "largest of the priorities", largest, "> 0");
      state.largest = std::max(largest, state.largest);
      machine.upload(&tree_.leaf(0), priorities.data(), priorities.size());
      machine.upload(state_.get(), &state, 1);
      machine.for_each_team(1, RebuildTree{tree_});
    }

   private:
    Prioritized settings_;
    Ring<Machine, O, A, Steps> ring_;
    typename Machine::template Owned<float> nodes_;
    typename Machine::template Owned<PriorityState> state_;
    SumTree tree_;
  };
};

}  // namespace polyq::replay
