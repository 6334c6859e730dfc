// SPDX-License-Identifier: MIT
// Thrust: functors through Thrust's algorithms, the system chosen by its tag: thrust::cpp::tag,
// thrust::omp::tag, thrust::tbb::tag. ThrustHost, the cpp system, is the GPU's twin on the host.
#pragma once
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "polyq/backend/command_machine.hpp"
#include "polyq/backend/concept.hpp"
#include "polyq/core/arena.hpp"

namespace polyq::backend {

/// Runs f at an index as a device does: every index prepares for itself.
template <class F>
struct EachAlone {
  F f;
  POLYQ_HD void operator()(std::int64_t i) const {
    const auto each = prepared(f);
    if (is_active(each)) each(i);
  }
};

/// An element functor at an index, one float at a time.
template <class F>
struct ElementAlone {
  F f;
  POLYQ_HD void operator()(std::int64_t i) const {
    const auto element = prepared(f);
    if (is_active(element)) element(ScalarLane{i});
  }
};

/// A team functor at an index, by a team of one.
template <class F>
struct TeamAlone {
  F f;
  POLYQ_HD void operator()(std::int64_t i) const {
    const auto each = prepared(f);
    if (is_active(each)) each(SerialTeam{}, i);
  }
};

/// parts[p] ← Σ f over the p-th of `count` equal ranges of [0, n).
template <class F>
struct PartialSum {
  F f;
  std::int64_t n, count;
  float* parts;
  POLYQ_HD void operator()(std::int64_t part) const {
    const auto term = prepared(f);
    float total = 0;
    for (std::int64_t i = part * n / count; i < (part + 1) * n / count; ++i)
      total += term(ScalarLane{i});
    parts[part] = total;
  }
};

/// *out ← Σ parts[0, count), from the first to the last.
struct TotalOfParts {
  const float* parts;
  std::int64_t count;
  float* out;
  POLYQ_HD void operator()(std::int64_t) const {
    float total = 0;
    for (std::int64_t part = 0; part < count; ++part) total += parts[part];
    *out = total;
  }
};

/// One element of out = x y, summed from the first to the last.
template <class X, class Y, class Out>
struct ProductElement {
  static_assert(X::columns == Y::rows && X::rows == Out::rows && Y::columns == Out::columns);
  X x;
  Y y;
  Out out;
  POLYQ_HD void operator()(std::int64_t i) const {
    const int row = int(i % Out::rows), column = int(i / Out::rows);
    float total = 0;
    for (int k = 0; k < X::columns; ++k) total += x(row, k) * y(k, column);
    out(row, column) = total;
  }
};

/// Pads for loads of 16 bytes and tensors on 256-byte boundaries; a weight is [In][Out].
struct ThrustStorage {
  static constexpr int granule = 64;
  static constexpr int stride(int rows) { return rows < 4 ? rows : core::round_up(rows, 4); }
  static constexpr std::size_t activation_size(int rows, int columns) {
    return core::round_up(stride(rows) * columns, granule);
  }
  static constexpr bool outputs_contiguous(int, int) { return true; }
  static constexpr std::size_t dense_scratch(int, int) { return 0; }
};

/// A host's Thrust claims no fusion; claims are for the specialisation in thrust_cuda.cuh.
template <class System, Fusion... claims>
struct Thrust {
  static_assert(sizeof...(claims) == 0, "polyq::backend::Thrust: a host system claims no fusion");
  static constexpr Memory memory = Memory::host;
  using Storage = ThrustStorage;

  class Machine : public CommandMachine {
   public:
    using Storage = Thrust::Storage;
    explicit Machine(Thrust) {}
    static constexpr bool fuses(Fusion) { return false; }

    template <class F>
    void for_each(std::int64_t n, F f) {
      run(n, EachAlone<F>{f});
    }
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      run(n, ElementAlone<F>{f});
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      run(n, TeamAlone<F>{f});
    }
    /// By a fixed number of parts, so that the bits do not depend on how many threads there are.
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      const std::int64_t count = std::int64_t(parts_.size());
      run(count, PartialSum<F>{f, n, count, parts_.data()});
      run(1, TotalOfParts{parts_.data(), count, out});
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      run(std::int64_t{Out::rows} * Out::columns, ProductElement<X, Y, Out>{x, y, out});
    }

   private:
    template <class F>
    void run(std::int64_t n, F f) {
      static_assert(std::is_trivially_copyable_v<F>);
      enqueue([n, f] {
        if (n == 1)
          f(0);  // on this thread: what a communicator throws could not leave one of the system's
        else
          thrust::for_each_n(System{}, thrust::counting_iterator<std::int64_t>(0), n, f);
      });
    }
    std::array<float, 64> parts_;
  };
};

using ThrustHost = Thrust<thrust::cpp::tag>;

}  // namespace polyq::backend
