// SPDX-License-Identifier: MIT
// SumTree: priorities as the leaves of a tree of sums (Schaul et al. 2016) with 32 children a node,
// four levels for a million. A parent is recomputed from its children and never incremented, so
// that nothing drifts, and equal leaves make equal trees whatever the order of the work.
#pragma once
#include <cstddef>
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::replay {

/// A view of the nodes; passed by value into functors. Level 0 is the leaves, level depth() the
/// root; in memory the root comes first, and each level is padded with zeros to whole nodes.
class SumTree {
 public:
  static constexpr int fan_out = 32;

  /// Floats of a tree.
  static std::size_t size(std::int64_t leaves) {
    const SumTree tree(nullptr, leaves);
    return std::size_t(tree.leaves_begin_ + padded(leaves));
  }
  /// nodes [size(leaves)], zero at the start.
  SumTree(float* nodes, std::int64_t leaves) : nodes_(nodes), leaves_(leaves) {
    while (count(depth_) > 1) ++depth_;
    for (int level = depth_; level > 0; --level) leaves_begin_ += padded(count(level));
  }

  POLYQ_HD int depth() const { return depth_; }
  POLYQ_HD std::int64_t leaves() const { return leaves_; }
  POLYQ_HD float total() const { return nodes_[0]; }
  POLYQ_HD float& leaf(std::int64_t i) const { return nodes_[leaves_begin_ + i]; }

  /// The leaves in which masses fall, 0 ≤ mass < total, where leaves stand side by side; never one
  /// of priority 0, unless all are. In double: a float has too few bits for a leaf in a million.
  /// Several at a time, since each waits for memory at every level. `masses` is used up.
  template <int Count>
  POLYQ_HD void find(double (&masses)[Count], std::int64_t (&leaves)[Count]) const {
    for (std::int64_t& leaf : leaves) leaf = 0;
    const float* nodes = nodes_;
    for (int level = depth_; level > 0; --level) {
      nodes += padded(count(level));
      for (int i = 0; i < Count; ++i) {
        const std::int64_t first = leaves[i] * fan_out;
        leaves[i] = first + child_at(nodes + first, masses[i]);
        if (level > 1) fetch(nodes + padded(count(level - 1)) + leaves[i] * fan_out);
      }
    }
  }

  /// Recomputes all that stands above leaves [first, first + number), a level at a time.
  template <class Team>
  POLYQ_HD void update_range(const Team& team, std::int64_t first, std::int64_t number) const {
    std::int64_t begin = leaves_begin_;
    for (int level = 1; level <= depth_; ++level) {
      const std::int64_t children = begin;
      begin -= padded(count(level));
      const std::int64_t low = first >> (5 * level), high = (first + number - 1) >> (5 * level);
      team.for_each(int(high - low + 1),
                    Recompute{nodes_ + begin + low, nodes_ + children + low * fan_out});
    }
  }
  /// Recomputes all that stands above leaves leaf_of(0), …, leaf_of(number - 1), a level at a time.
  template <class Team, class LeafOf>
  POLYQ_HD void update(const Team& team, int number, LeafOf leaf_of) const {
    std::int64_t begin = leaves_begin_;
    for (int level = 1; level <= depth_; ++level) {
      const std::int64_t children = begin;
      begin -= padded(count(level));
      team.for_each(number,
                    RecomputeAbove<LeafOf>{nodes_ + begin, nodes_ + children, leaf_of, 5 * level});
    }
  }

 private:
  POLYQ_HD static std::int64_t padded(std::int64_t n) {
    return (n + fan_out - 1) / fan_out * fan_out;
  }
  POLYQ_HD std::int64_t count(int level) const { return ((leaves_ - 1) >> (5 * level)) + 1; }

  static constexpr int groups = 4, group_size = fan_out / groups;

  /// Of values side by side the one in which `mass` falls, the last positive one where it falls
  /// behind them all, and 0 where none is; `mass` becomes what is left of it there. Without
  /// branches, which could not be foretold.
  template <int Count, class Value>
  POLYQ_HD static int place_of(Value value, double& mass) {
    double before[Count + 1];
    before[0] = 0;
    for (int k = 0; k < Count; ++k) before[k + 1] = before[k] + value(k);
    const double last = before[Count] - (before[Count] * 0x1p-52 + 1e-300);
    mass = mass < last ? mass : last;
    int chosen = 0;
    double begin = 0;  // before[chosen], by the same additions
    for (int k = 1; k < Count; ++k) {
      const int behind = before[k] <= mass;
      chosen += behind;
      begin += behind * double(value(k - 1));
    }
    mass -= begin;
    return chosen;
  }
  /// A node is two lines of memory.
  POLYQ_HD static void fetch(const float* node) {
    core::prefetch(node);
    core::prefetch(node + fan_out / 2);
  }
  /// By groups and then within one: twelve additions one after another instead of 32.
  POLYQ_HD static int child_at(const float* children, double& mass) {
    const auto of_group = [children](int group) {
      const float* first = children + group * group_size;
      return ((first[0] + first[4]) + (first[2] + first[6])) +
             ((first[1] + first[5]) + (first[3] + first[7]));
    };
    const int group = place_of<groups>(of_group, mass);
    const float* first = children + group * group_size;
    return group * group_size + place_of<group_size>([first](int k) { return first[k]; }, mass);
  }
  /// In chains that stand side by side, of one order on every backend.
  POLYQ_HD static float sum(const float* children) {
    float part[group_size];
    for (int k = 0; k < group_size; ++k)
      part[k] = (children[k] + children[k + 8]) + (children[k + 16] + children[k + 24]);
    return ((part[0] + part[4]) + (part[2] + part[6])) +
           ((part[1] + part[5]) + (part[3] + part[7]));
  }

  struct Recompute {
    float* parents;
    const float* children;
    POLYQ_HD void operator()(int k) const {
      parents[k] = sum(children + std::int64_t{k} * fan_out);
    }
  };
  template <class LeafOf>
  struct RecomputeAbove {
    float* parents;
    const float* children;
    LeafOf leaf_of;
    int shift;
    POLYQ_HD void operator()(int k) const {
      const std::int64_t parent = leaf_of(k) >> shift;
      parents[parent] = sum(children + parent * fan_out);
    }
  };

  float* nodes_;
  std::int64_t leaves_, leaves_begin_ = 0;
  int depth_ = 0;
};

}  // namespace polyq::replay
