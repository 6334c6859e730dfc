// SPDX-License-Identifier: MIT
// SumShards: spans added by the binary tree over their numbers, so that the bits do not depend on
// where the subtrees were summed.
#pragma once
#include <cstddef>
#include <cstdint>

#include "polyq/backend/concept.hpp"

namespace polyq {

/// first ← first + second, or (first + second) + (third + fourth).
template <int Count>
struct AddSpans {
  float* spans[Count];
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    auto sum = i.load(spans[0]) + i.load(spans[1]);
    if constexpr (Count == 4) sum = sum + (i.load(spans[2]) + i.load(spans[3]));
    i.store(spans[0], sum);
  }
};

/// span(0) ← the tree's sum of span(0) … span(count − 1) [n]; count is a power of two. The spans
/// behind the first may change. Enqueues.
template <class Machine, class Span>
void sum_shards(Machine& machine, int count, std::size_t n, Span span) {
  for (int step = 1; step < count;) {
    const int width = step * 4 <= count ? 4 : 2;
    for (int first = 0; first < count; first += width * step) {
      if (width == 4)
        machine.for_each_element(
            std::int64_t(n), AddSpans<4>{{span(first), span(first + step), span(first + 2 * step),
                                          span(first + 3 * step)}});
      else
        machine.for_each_element(std::int64_t(n), AddSpans<2>{{span(first), span(first + step)}});
    }
    step *= width;
  }
}

/// partial [n] ← the tree's sum of the partial sums of all ranks, by way of `all` [size · n].
/// Enqueues.
template <class Machine, class Comm>
void sum_ranks(Machine& machine, const Comm& comm, std::size_t n, float* partial, float* all) {
  comm.all_gather(machine, partial, all, n);
  sum_shards(machine, comm.size(), n, [&](int r) { return all + std::size_t(r) * n; });
  machine.for_each_element(std::int64_t(n), backend::CopyElement{partial, all});
}

}  // namespace polyq
