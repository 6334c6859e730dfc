// SPDX-License-Identifier: MIT
// Folded: NStep over any replay beside a brute-force fold over random episodes with terminations,
// truncations and wrap, for one and several environments, with and without masks.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <polyq/math/action_mask.hpp>
#include <polyq/replay/n_step.hpp>
#include <set>
#include <vector>

#include "rows.hpp"

namespace test {

namespace core = polyq::core;
namespace math = polyq::math;
namespace replay = polyq::replay;

constexpr float folded_discount = .9f;

template <class Machine, int BatchSize>
struct FoldedShapes {
  static constexpr int O = 2, A = 40, B = BatchSize;  // two words of mask
  template <int Columns>
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, Columns>;
};

/// A row as it was pushed, kept for ever.
struct FoldedRow {
  float observation, next, reward;
  bool terminated, truncated;
};

/// What a transition from `row` on must be.
struct Fold {
  double reward = 0, discount = 1;
  std::int64_t last;
};
inline Fold fold(const std::vector<FoldedRow>& history, std::int64_t row, int steps,
                 int environments) {
  Fold fold{.last = row};
  for (int k = 0;; ++k) {
    fold.last = row + std::int64_t{k} * environments;
    const FoldedRow& at = history[fold.last];
    fold.reward += fold.discount * at.reward;
    fold.discount *= double(folded_discount);
    if (at.terminated) fold.discount = 0;
    if (at.terminated || at.truncated || k + 1 == steps) return fold;
  }
}

/// NStep over a replay, and every row that it was given.
template <class B, template <int> class Inner, int Steps, int N>
class Folded {
  static constexpr int batch_size = 64, words = math::mask_words(40);
  using Machine = typename B::Machine;
  using S = FoldedShapes<Machine, batch_size>;
  using Replay = replay::NStep<Steps, Inner<batch_size>>;
  using Pushed = typename S::template Observations<N>;
  using Sampled = typename S::template Observations<batch_size>;

 public:
  Folded(std::int64_t capacity, bool masked)
      : capacity_(capacity), masked_(masked), on_(machine_, {{.capacity = capacity}}, facts) {
    on_.attach(N, masked);
  }
  void push(int steps) {
    for (int step = 0; step < steps; ++step) {
      const core::Clock* before = clock();
      test::HostRows<Pushed> rows;
      std::vector<std::uint32_t> legal(N * words), legal_next(N * words);
      for (int e = 0; e < N; ++e) {
        const std::int64_t number = std::int64_t(history_.size());
        const core::Words draw = core::philox(3, core::Stream::noise, number, 0);
        const float f = float(number);
        history_.push_back({f, f + .5f, core::uniform(draw.word[0]) - .5f, draw.word[1] % 7 == 0,
                            draw.word[2] % 7 == 0 && draw.word[1] % 7 != 0});
        const FoldedRow& row = history_.back();
        for (int o = 0; o < S::O; ++o) {
          rows.observations(o, e) = row.observation;
          rows.next(o, e) = row.next;
        }
        rows.actions[e] = std::int32_t(number % S::A);
        rows.rewards[e] = row.reward;
        rows.terminated[e] = row.terminated;
        rows.truncated[e] = row.truncated;
        for (int w = 0; w < words; ++w) {
          legal[e * words + w] = std::uint32_t(number * 2 + w);
          legal_next[e * words + w] = std::uint32_t(~number * 2 + w);
        }
      }
      memory_.upload(machine_, rows);
      machine_.upload(legal_.get(), legal.data(), legal.size());
      machine_.upload(legal_next_.get(), legal_next.data(), legal_next.size());
      auto view = memory_.view();
      if (masked_) {
        view.legal = legal_.get();
        view.legal_next = legal_next_.get();
      }
      on_.push(machine_, before, view);
    }
  }
  /// The environments begin anew.
  void cut() {
    on_.cut(machine_, clock());
    for (std::size_t e = 1; e <= N; ++e) history_[history_.size() - e].truncated = true;
  }
  /// Draws some batches, and gives their rows other priorities where the replay has them; each
  /// transition must be the fold of its row.
  void check() {
    const std::int64_t pushed = std::int64_t(history_.size());
    const std::int64_t oldest = pushed > capacity_ ? pushed - capacity_ : 0;
    const std::int64_t newest = pushed - (Steps - 1) * N;
    std::set<std::int64_t> drawn;
    for (int batches = 0; batches < 20; ++batches) {
      auto view = sampled_.view();
      view.legal = masked_ ? batch_legal_.get() : nullptr;
      view.legal_next = masked_ ? batch_legal_next_.get() : nullptr;
      on_.sample(machine_, clock(), view);
      std::vector<float> errors(batch_size);
      for (int i = 0; i < batch_size; ++i)
        errors[i] = core::uniform(core::philox(4, core::Stream::noise, updates_, i).word[0]) + .5f;
      machine_.upload(errors_.get(), errors.data(), errors.size());
      on_.reprioritize(machine_, view, errors_.get());
      check_priorities(oldest, newest);
      ++updates_;
      const auto batch = test::downloaded(machine_, sampled_.view());
      const auto legal = test::downloaded(machine_, batch_legal_.get(), batch_size * words);
      const auto next = test::downloaded(machine_, batch_legal_next_.get(), batch_size * words);
      for (int i = 0; i < batch_size; ++i) {
        const std::int64_t row = batch.rows[i];
        REQUIRE(row >= oldest);
        REQUIRE(row < newest);
        drawn.insert(row);
        const Fold expected = fold(history_, row, Steps, N);
        CHECK(batch.observations(1, i) == history_[row].observation);
        CHECK(batch.actions[i] == row % S::A);
        CHECK(batch.next(0, i) == history_[expected.last].next);
        // Up to seven products and sums of numbers below 1, each rounded to 6e-8.
        CHECK(std::abs(batch.rewards[i] - expected.reward) <= 1e-6);
        CHECK(std::abs(batch.discounts[i] - expected.discount) <= 1e-6);
        for (int w = 0; w < words && masked_; ++w) {
          CHECK(legal[i * words + w] == std::uint32_t(row * 2 + w));
          CHECK(next[i * words + w] == std::uint32_t(~expected.last * 2 + w));
        }
      }
    }
    if (newest - oldest <= 40) CHECK(std::int64_t(drawn.size()) == newest - oldest);
  }

 private:
  /// Where no transition begins the priority is 0, and nowhere else.
  void check_priorities(std::int64_t oldest, std::int64_t newest) {
    if constexpr (requires { on_.priorities(machine_); }) {
      const std::vector<float> priorities = on_.priorities(machine_);
      std::vector<bool> expected(priorities.size());
      for (std::int64_t row = oldest; row < newest; ++row)
        expected[std::size_t(row % capacity_)] = true;
      for (std::size_t i = 0; i < priorities.size(); ++i) CHECK((priorities[i] > 0) == expected[i]);
    }
  }
  static constexpr replay::RunFacts facts{folded_discount, 5, {}};
  const core::Clock* clock() {
    const core::Clock now{history_.size(), updates_, history_.size()};
    machine_.upload(clock_.get(), &now, 1);
    return clock_.get();
  }

  std::int64_t capacity_;
  bool masked_;
  std::uint64_t updates_ = 0;
  Machine machine_{B{}};
  typename Replay::template On<Machine, S> on_;
  std::vector<FoldedRow> history_;
  test::RowsOn<Machine, Pushed> memory_{machine_};
  test::BatchOn<Machine, Sampled> sampled_{machine_};
  typename Machine::template Owned<float> errors_ =
      test::uploaded(machine_, std::vector<float>(batch_size));
  typename Machine::template Owned<core::Clock> clock_ =
      test::uploaded(machine_, std::vector<core::Clock>(1));
  typename Machine::template Owned<std::uint32_t>
      legal_ = test::uploaded(machine_, std::vector<std::uint32_t>(N*words)),
      legal_next_ = test::uploaded(machine_, std::vector<std::uint32_t>(N*words)),
      batch_legal_ = test::uploaded(machine_, std::vector<std::uint32_t>(batch_size*words)),
      batch_legal_next_ = test::uploaded(machine_, std::vector<std::uint32_t>(batch_size*words));
};

template <class B, template <int> class Inner, int Steps, int N>
void check_folds(bool masked) {
  Folded<B, Inner, Steps, N> folded(96, masked);
  folded.push(Steps);  // as few rows as a sample needs, and a lap of the ring later
  folded.check();
  for (const int steps : {5, 40 / N, 96 / N, 7, 300 / N}) {
    folded.push(steps);
    folded.check();
  }
  folded.cut();
  for (int step = 0; step < Steps + 1; ++step) {
    folded.push(1);
    folded.check();
  }
}

}  // namespace test
