// SPDX-License-Identifier: MIT
// SumTree beside cumulative sums in double: whole numbers, which floats add without rounding, are
// found exactly at every boundary; what is updated has the bits of a tree that is built anew.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/core/random.hpp>
#include <polyq/replay/sum_tree.hpp>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace {

namespace core = polyq::core;
using polyq::replay::SumTree;

const std::vector<std::int64_t> sizes{1, 2, 31, 32, 33, 1'000, 1'024, 1'025, 40'000};

struct Find {
  SumTree tree;
  const double* masses;
  std::int64_t* found;
  POLYQ_HD void operator()(std::int64_t i) const {
    double mass[1] = {masses[i]};
    std::int64_t leaf[1];
    tree.find(mass, leaf);
    found[i] = leaf[0];
  }
};
struct ReadTotal {
  SumTree tree;
  float* total;
  POLYQ_HD void operator()(std::int64_t) const { *total = tree.total(); }
};
struct UpdateRange {
  SumTree tree;
  std::int64_t first, number;
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    tree.update_range(team, first, number);
  }
};
/// Sets leaves by a list that may name one several times, with the same value.
struct SetAndUpdate {
  SumTree tree;
  const std::int64_t* leaves;
  const float* values;
  int number;
  struct Set {
    SumTree tree;
    const std::int64_t* leaves;
    const float* values;
    POLYQ_HD void operator()(int i) const { tree.leaf(leaves[i]) = values[i]; }
  };
  struct LeafOf {
    const std::int64_t* leaves;
    POLYQ_HD std::int64_t operator()(int i) const { return leaves[i]; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t) const {
    team.for_each(number, Set{tree, leaves, values});
    tree.update(team, number, LeafOf{leaves});
  }
};

/// A tree on a machine, with memory behind it that it may not touch.
template <class B>
class TestedTree {
  using Machine = typename B::Machine;
  static constexpr std::size_t guard = 64;
  static constexpr float untouched = -7;

 public:
  explicit TestedTree(std::int64_t leaves, B backend = {})
      : machine_(backend),
        size_(SumTree::size(leaves)),
        nodes_(test::uploaded(machine_, fresh(size_))),
        tree_(nodes_.get(), leaves) {}
  void set(const std::vector<float>& leaves) {
    machine_.upload(&tree_.leaf(0), leaves.data(), leaves.size());
  }
  void rebuild() { update_range(0, tree_.leaves()); }
  void update_range(std::int64_t first, std::int64_t number) {
    machine_.for_each_team(1, UpdateRange{tree_, first, number});
  }
  void set_and_update(const std::vector<std::int64_t>& leaves, const std::vector<float>& values) {
    const auto at = test::uploaded(machine_, leaves);
    const auto to = test::uploaded(machine_, values);
    machine_.for_each_team(1, SetAndUpdate{tree_, at.get(), to.get(), int(leaves.size())});
    machine_.synchronize();
  }
  std::vector<std::int64_t> find(const std::vector<double>& masses) {
    const auto from = test::uploaded(machine_, masses);
    const auto to = test::uploaded(machine_, std::vector<std::int64_t>(masses.size(), -1));
    machine_.for_each(std::int64_t(masses.size()), Find{tree_, from.get(), to.get()});
    return test::downloaded(machine_, to.get(), masses.size());
  }
  float total() {
    const auto to = test::uploaded(machine_, std::vector<float>(1));
    machine_.for_each(1, ReadTotal{tree_, to.get()});
    return test::value_at(machine_, to.get());
  }
  /// All of them; what stands behind must be as it was.
  std::vector<float> nodes() {
    std::vector<float> all = test::downloaded(machine_, nodes_.get(), size_ + guard);
    CHECK(std::vector<float>(all.begin() + std::ptrdiff_t(size_), all.end()) ==
          std::vector<float>(guard, untouched));
    all.resize(size_);
    return all;
  }
  int depth() const { return tree_.depth(); }

 private:
  static std::vector<float> fresh(std::size_t size) {
    std::vector<float> nodes(size + guard);
    std::fill(nodes.begin() + std::ptrdiff_t(size), nodes.end(), untouched);
    return nodes;
  }
  Machine machine_;
  std::size_t size_;
  typename Machine::template Owned<float> nodes_;
  SumTree tree_;
};

float uniform(std::uint32_t stream, std::int64_t i) {
  return core::uniform(core::philox(17, core::Stream::noise, std::uint64_t(i), stream).word[0]);
}
/// Whole numbers below 16, a quarter of them 0, one of them not.
std::vector<float> whole_numbers(std::int64_t count) {
  std::vector<float> leaves(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    leaves[std::size_t(i)] = std::floor(std::max(0.f, uniform(1, i) * 20 - 5));
  if (std::all_of(leaves.begin(), leaves.end(), [](float leaf) { return leaf == 0; }))
    leaves.back() = 3;
  return leaves;
}
/// From 1e-3 to 1e3, a tenth of them 0, one of them not.
std::vector<float> spread(std::int64_t count, std::uint32_t stream = 2) {
  std::vector<float> leaves(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    leaves[std::size_t(i)] =
        uniform(stream + 100, i) < .1f ? 0 : std::pow(10.f, uniform(stream, i) * 6 - 3);
  leaves[leaves.size() / 2] = 1;
  return leaves;
}
/// Where each leaf ends, side by side.
std::vector<double> ends_of(const std::vector<float>& leaves) {
  std::vector<double> ends;
  double sum = 0;
  for (const float leaf : leaves) ends.push_back(sum += leaf);
  return ends;
}

template <class B>
void find_whole_numbers(std::int64_t count) {
  CAPTURE(count);
  const std::vector<float> leaves = whole_numbers(count);
  const std::vector<double> ends = ends_of(leaves);
  TestedTree<B> tree(count);
  tree.set(leaves);
  tree.rebuild();
  CHECK(double(tree.total()) == ends.back());
  std::vector<double> masses{0, .25, ends.back() - 1, ends.back() - .5,
                             std::nextafter(ends.back(), 0)};
  for (const double end : ends)
    for (const double mass : {end - 0x1p-20, end, end + .5})
      if (mass >= 0 && mass < ends.back()) masses.push_back(mass);
  const std::vector<std::int64_t> found = tree.find(masses);
  int wrong = 0;
  for (std::size_t i = 0; i < masses.size(); ++i)
    wrong += found[i] != std::upper_bound(ends.begin(), ends.end(), masses[i]) - ends.begin();
  CHECK(wrong == 0);
}

template <class B>
void find_spread(std::int64_t count) {
  CAPTURE(count);
  const std::vector<float> leaves = spread(count);
  const std::vector<double> ends = ends_of(leaves);
  TestedTree<B> tree(count);
  tree.set(leaves);
  tree.rebuild();
  // A node is the float sum of five additions a level, of terms that are not negative.
  const double rounding = 5 * tree.depth() * 0x1p-24, total = tree.total();
  CHECK(std::abs(total - ends.back()) <= rounding * ends.back());
  std::vector<double> masses{0, std::nextafter(total, 0)};
  for (int i = 0; i < 5'000; ++i) masses.push_back(double(uniform(3, i)) * total);
  const std::vector<std::int64_t> found = tree.find(masses);
  int zero = 0, far = 0;
  for (std::size_t i = 0; i < masses.size(); ++i) {
    const auto leaf = std::size_t(found[i]);
    REQUIRE(leaf < leaves.size());
    zero += leaves[leaf] == 0;
    // Each level's nodes, and its groups of eight, are off by their roundings.
    const double off = (tree.depth() * (rounding + 3 * 0x1p-24)) * ends.back();
    far += masses[i] < ends[leaf] - leaves[leaf] - off || masses[i] > ends[leaf] + off;
  }
  CHECK(zero == 0);
  CHECK(far == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("a mass is found where a sum over the leaves finds it", B, POLYQ_BACKENDS) {
  for (const std::int64_t count : sizes) find_whole_numbers<B>(count);
}

TEST_CASE_TEMPLATE("with roundings it is found near, and never in a leaf of 0", B, POLYQ_BACKENDS) {
  for (const std::int64_t count : sizes) find_spread<B>(count);
}

TEST_CASE("a million leaves") {
  find_whole_numbers<test::Fast>(1'000'000);
  find_spread<test::Fast>(1'000'000);
}

TEST_CASE_TEMPLATE("a single leaf above 0 takes every mass, wherever it stands", B,
                   POLYQ_BACKENDS) {
  for (const std::int64_t count : {1, 33, 1'025}) {
    TestedTree<B> tree(count);
    for (std::int64_t leaf = 0; leaf < count; leaf += 31) {
      std::vector<float> leaves(static_cast<std::size_t>(count));
      leaves[std::size_t(leaf)] = .1f;
      tree.set(leaves);
      tree.rebuild();
      CHECK(tree.total() == .1f);
      // Also a mass that roundings carried to the total.
      CHECK(tree.find({0, .05, .0999999, .1, .2}) == std::vector<std::int64_t>(5, leaf));
    }
  }
}

TEST_CASE_TEMPLATE("a tree of zeros answers with a leaf", B, POLYQ_BACKENDS) {
  TestedTree<B> tree(1'000);
  tree.rebuild();
  CHECK(tree.total() == 0);
  CHECK(tree.find({0, 1}) == std::vector<std::int64_t>{0, 0});
}

TEST_CASE_TEMPLATE("levels stand one after another, whole nodes each, the leaves last", B,
                   POLYQ_BACKENDS) {
  for (const std::int64_t count : sizes) {
    CAPTURE(count);
    TestedTree<B> tree(count);
    tree.set(std::vector<float>(std::size_t(count), 1));
    tree.rebuild();
    // From the leaves up: `count` nodes of which each holds the number of its leaves.
    std::vector<std::vector<float>> levels{std::vector<float>(std::size_t(count), 1)};
    while (levels.back().size() > 1) {
      std::vector<float> above((levels.back().size() + 31) / 32);
      for (std::size_t i = 0; i < levels.back().size(); ++i) above[i / 32] += levels.back()[i];
      levels.push_back(above);
    }
    CHECK(tree.depth() == int(levels.size()) - 1);
    std::vector<float> expected;
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
      expected.insert(expected.end(), level->begin(), level->end());
      expected.resize((expected.size() + 31) / 32 * 32);
    }
    CHECK(tree.nodes() == expected);
  }
}

TEST_CASE_TEMPLATE("updates have the bits of a tree built anew, in any order, with duplicates", B,
                   POLYQ_BACKENDS) {
  for (const B& backend : test::in_all_orders<B>())
    for (const std::int64_t count : sizes) {
      CAPTURE(count);
      std::vector<float> leaves = spread(count);
      TestedTree<B> updated(count, backend), anew(count);
      updated.set(leaves);
      updated.rebuild();
      for (int round = 0; round < 6; ++round) {
        std::vector<std::int64_t> at;
        std::vector<float> values;
        for (int i = 0; i < 50; ++i) {
          // The ends, rows drawn at random, and each fifth as the one before.
          const auto drawn = std::int64_t(uniform(4, round * 50 + i) * float(count));
          at.push_back(i == 0 ? 0 : i == 1 ? count - 1 : i % 5 == 0 ? at.back() : drawn);
          leaves[std::size_t(at.back())] = uniform(5, at.back() + round) * 100;
          values.push_back(0);
        }
        for (std::size_t i = 0; i < at.size(); ++i) values[i] = leaves[std::size_t(at[i])];
        updated.set_and_update(at, values);
        anew.set(leaves);
        anew.rebuild();
        CHECK(updated.nodes() == anew.nodes());
      }
      for (const std::int64_t number : {1, 3, 32, 100}) {
        for (const std::int64_t first : {std::int64_t{0}, count / 3, count - number}) {
          if (first < 0 || first + number > count) continue;
          for (std::int64_t i = first; i < first + number; ++i)
            leaves[std::size_t(i)] = uniform(6, i + number);
          updated.set(leaves);
          updated.update_range(first, number);
          anew.set(leaves);
          anew.rebuild();
          CHECK(updated.nodes() == anew.nodes());
        }
      }
    }
}

TEST_CASE_TEMPLATE("a tree has the same bits and finds the same leaves on every backend", B,
                   POLYQ_BACKENDS) {
  TestedTree<B> tree(40'000);
  TestedTree<polyq::backend::Reference> oracle(40'000);
  const std::vector<float> leaves = spread(40'000);
  tree.set(leaves);
  tree.rebuild();
  oracle.set(leaves);
  oracle.rebuild();
  CHECK(tree.nodes() == oracle.nodes());
  const double total = oracle.total();
  std::vector<double> masses;
  for (int i = 0; i < 1'000; ++i) masses.push_back(double(uniform(7, i)) * total);
  CHECK(tree.find(masses) == oracle.find(masses));
}
