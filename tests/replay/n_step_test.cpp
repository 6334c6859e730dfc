// SPDX-License-Identifier: MIT
// NStep beside a brute-force fold over random episodes with terminations, truncations and wrap,
// for one and several environments, with and without masks; no row is drawn before its time.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/math/action_mask.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/uniform.hpp>
#include <set>
#include <string>
#include <vector>

#include "backends.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace math = polyq::math;
namespace replay = polyq::replay;

constexpr float discount = .9f;

template <class Machine, int BatchSize>
struct Shapes {
  static constexpr int O = 2, A = 40, B = BatchSize;  // two words of mask
  template <int Columns>
  using Observations = polyq::backend::Activations<typename Machine::Storage, float, O, Columns>;
};

/// A row as it was pushed, kept for ever.
struct Row {
  float observation, next, reward;
  bool terminated, truncated;
};

/// What a transition from `row` on must be.
struct Fold {
  double reward = 0, discount = 1;
  std::int64_t last;
};
Fold fold(const std::vector<Row>& history, std::int64_t row, int steps, int environments) {
  Fold fold{.last = row};
  for (int k = 0;; ++k) {
    fold.last = row + std::int64_t{k} * environments;
    const Row& at = history[fold.last];
    fold.reward += fold.discount * at.reward;
    fold.discount *= double(::discount);
    if (at.terminated) fold.discount = 0;
    if (at.terminated || at.truncated || k + 1 == steps) return fold;
  }
}

template <class B, int Steps, int N>
class Folded {
  static constexpr int batch_size = 64, words = math::mask_words(40);
  using Machine = typename B::Machine;
  using S = Shapes<Machine, batch_size>;
  using Replay = replay::NStep<Steps, replay::Uniform<batch_size>>;
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
        const Row& row = history_.back();
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
  /// Draws some batches; each transition must be the fold of its row.
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
  static constexpr replay::RunFacts facts{discount, 5, {}};
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
  std::vector<Row> history_;
  test::RowsOn<Machine, Pushed> memory_{machine_};
  test::BatchOn<Machine, Sampled> sampled_{machine_};
  typename Machine::template Owned<core::Clock> clock_ =
      test::uploaded(machine_, std::vector<core::Clock>(1));
  typename Machine::template Owned<std::uint32_t>
      legal_ = test::uploaded(machine_, std::vector<std::uint32_t>(N*words)),
      legal_next_ = test::uploaded(machine_, std::vector<std::uint32_t>(N*words)),
      batch_legal_ = test::uploaded(machine_, std::vector<std::uint32_t>(batch_size*words)),
      batch_legal_next_ = test::uploaded(machine_, std::vector<std::uint32_t>(batch_size*words));
};

template <class B, int Steps, int N>
void check_folds(bool masked) {
  Folded<B, Steps, N> folded(96, masked);
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

template <class B, int Steps>
std::string refusal(std::int64_t capacity, std::int64_t environments) {
  using Machine = typename B::Machine;
  using S = Shapes<Machine, 4>;
  Machine machine{B{}};
  try {
    typename replay::NStep<Steps, replay::Uniform<4>>::template On<Machine, S> on(
        machine, {{.capacity = capacity}}, {discount, 1, {}});
    on.attach(environments, false);
    CHECK(on.rows_needed() == (Steps - 1) * environments + 1);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE("a transition is the fold of its environment's rows", B, POLYQ_BACKENDS) {
  SUBCASE("three steps, one environment") { check_folds<B, 3, 1>(false); }
  SUBCASE("three steps, four environments, masks") { check_folds<B, 3, 4>(true); }
  SUBCASE("seven steps, two environments") { check_folds<B, 7, 2>(false); }
  SUBCASE("one step, three environments, masks") { check_folds<B, 1, 3>(true); }
}

TEST_CASE_TEMPLATE("a ring too small for a transition is refused", B, POLYQ_BACKENDS) {
  CHECK(refusal<B, 3>(12, 4) == "");
  CHECK(refusal<B, 4>(12, 4) ==
        "polyq: replay capacity = 12; allowed: >= 16, the steps of a transition, 4, times the "
        "number of environments");
  CHECK(refusal<B, 5>(4, 1) ==
        "polyq: replay capacity = 4; allowed: >= 5, the steps of a transition, 5, times the number "
        "of environments");
}

TEST_CASE("facts") {
  using Replay = replay::NStep<3, replay::Uniform<8>>;
  static_assert(Replay::steps == 3 && Replay::batch_size == 8 && !Replay::weighted);
  static_assert(replay::Uniform<8>::steps == 1);
}
