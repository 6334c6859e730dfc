// SPDX-License-Identifier: MIT
// Reference: plain loops, the oracle of every other backend.
#pragma once
#include <cstddef>
#include <cstdint>

#include "polyq/backend/command_machine.hpp"
#include "polyq/backend/concept.hpp"

namespace polyq::backend {

struct Reference {
  static constexpr Memory memory = Memory::host;

  struct Storage {  // no pads; a weight is [In][Out], outputs contiguous
    static constexpr int granule = 1;
    static constexpr int stride(int rows) { return rows; }
    static constexpr std::size_t activation_size(int rows, int columns) {
      return std::size_t(rows) * columns;
    }
    static constexpr bool outputs_contiguous(int, int) { return true; }
    static constexpr std::size_t dense_scratch(int, int) { return 0; }
  };

  class Machine : public CommandMachine {
   public:
    using Storage = Reference::Storage;
    explicit Machine(Reference) {}
    static constexpr bool fuses(Fusion) { return false; }

    template <class F>
    void for_each(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto each = prepared(f);
        if (!is_active(each)) return;
        for (std::int64_t i = 0; i < n; ++i) each(i);
      });
    }
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto element = prepared(f);
        if (!is_active(element)) return;
        for (std::int64_t i = 0; i < n; ++i) element(ScalarLane{i});
      });
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto each = prepared(f);
        if (!is_active(each)) return;
        for (std::int64_t i = 0; i < n; ++i) each(SerialTeam{}, i);
      });
    }
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      enqueue([n, f, out] {
        const auto term = prepared(f);
        float total = 0;
        for (std::int64_t i = 0; i < n; ++i) total += term(ScalarLane{i});
        *out = total;
      });
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      static_assert(X::columns == Y::rows && X::rows == Out::rows && Y::columns == Out::columns);
      enqueue([x, y, out] {
        for (int c = 0; c < Out::columns; ++c)
          for (int r = 0; r < Out::rows; ++r) {
            float total = 0;
            for (int k = 0; k < X::columns; ++k) total += x(r, k) * y(k, c);
            out(r, c) = total;
          }
      });
    }
  };
};

}  // namespace polyq::backend
