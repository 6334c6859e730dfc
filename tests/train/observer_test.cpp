// SPDX-License-Identifier: MIT
// The least that a user's observer may be: it meets the concept and is asked, or only told, whether
// the run goes on.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/train/observer.hpp>
#include <polyq/train/progress.hpp>
#include <vector>

namespace {

using polyq::Chunk;

/// A user's observer: keeps the training return of every chunk.
struct Curve {
  std::vector<double> returns;
  void on_chunk(const Chunk& chunk) { returns.push_back(chunk.training_return); }
};

/// Ends the run once a number of env steps is done.
struct Until {
  std::uint64_t env_steps;
  bool on_chunk(const Chunk& chunk) const { return chunk.env_steps < env_steps; }
};

/// Keeps the periodic evaluations.
struct Evaluations {
  std::vector<polyq::Evaluation> all;
  void on_chunk(const Chunk&) {}
  void on_evaluation(const polyq::Evaluation& evaluation) { all.push_back(evaluation); }
};

struct Deaf {};
struct Changing {  // would change what other observers see
  void on_chunk(Chunk& chunk);
};
struct Elsewhere {
  void on_chunk(int);
};

}  // namespace

TEST_CASE("the concept takes the library's observer and a user's, and no broken one") {
  static_assert(polyq::Observer<polyq::Progress>);
  static_assert(polyq::Observer<Curve>);
  static_assert(polyq::Observer<Until>);
  static_assert(polyq::Observer<Curve&>);  // as train takes them
  static_assert(!polyq::Observer<const Curve>);
  static_assert(!polyq::Observer<Deaf>);
  static_assert(!polyq::Observer<Changing>);
  static_assert(!polyq::Observer<Elsewhere>);
}

TEST_CASE("an observer that returns nothing lets the run go on, others decide") {
  Curve curve;
  Until until{100};
  Chunk chunk{};
  chunk.env_steps = 99;
  chunk.training_return = 12.5;
  CHECK(polyq::lets_go_on(curve, chunk));
  CHECK(polyq::lets_go_on(until, chunk));
  chunk.env_steps = 100;
  CHECK(polyq::lets_go_on(curve, chunk));
  CHECK(!polyq::lets_go_on(until, chunk));
  CHECK(curve.returns == std::vector<double>{12.5, 12.5});
}

TEST_CASE("an observer is told of evaluations if it listens") {
  Curve curve;
  Evaluations evaluations;
  const polyq::Evaluation evaluation{2'000, {17, 1, 10}};
  polyq::tell(curve, evaluation);
  polyq::tell(evaluations, evaluation);
  REQUIRE(evaluations.all.size() == 1);
  CHECK(evaluations.all[0].env_steps == 2'000);
  CHECK(evaluations.all[0].score.mean == 17);
}
