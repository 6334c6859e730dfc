// SPDX-License-Identifier: MIT
// dense_forward, dense_backward: a fully connected layer by the backend's claimed fusion, else
// built from its primitives.
#pragma once
#include <cstdint>
#include <type_traits>

#include "polyq/backend/concept.hpp"

namespace polyq::backend {

/// y ← act(y + bias)
template <class Activation, class Y>
struct BiasActivation {
  const float* bias;
  Y y;
  POLYQ_HD void operator()(std::int64_t i) const {
    const int row = int(i % Y::rows), column = int(i / Y::rows);
    y(row, column) = Activation::value(y(row, column) + bias[row]);
  }
};

/// out[row] ← Σ over columns of m
template <class M>
struct RowSum {
  M m;
  float* out;

  struct Term {
    M m;
    int row;
    POLYQ_HD float operator()(int column) const { return m(row, column); }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t row) const {
    out[row] = team.sum(M::columns, Term{m, int(row)});
  }
};

/// dx ← dx · slope of the activation whose output is x
template <class Activation, class X, class DX>
struct PullBack {
  X x;
  DX dx;
  POLYQ_HD void operator()(std::int64_t i) const {
    const int row = int(i % X::rows), column = int(i / X::rows);
    dx(row, column) = Activation::pull(x(row, column), dx(row, column));
  }
};

/// dx = wᵀ dy times the slope of Below, the activation that made x; nothing where dx is Absent.
/// Enqueues.
template <class Below, class Machine, class W, class X, class DY, class DX>
void input_gradient(Machine& machine, W w, X x, DY dy, DX dx) {
  if constexpr (!std::is_same_v<DX, core::Absent>) {
    machine.matmul(transposed(w), dy, dx);
    machine.for_each(std::int64_t{X::rows} * X::columns, PullBack<Below, X, DX>{x, dx});
  }
}

/// y = act(w x + bias), a product and a pass. Enqueues.
template <class Activation, class Machine, class W, class X, class Y>
void product_and_activation(Machine& machine, W w, const float* bias, X x, Y y) {
  machine.matmul(w, x, y);
  machine.for_each(std::int64_t{Y::rows} * Y::columns, BiasActivation<Activation, Y>{bias, y});
}

/// y = act(w x + bias); w [Out, In], x [In, B], y [Out, B]. Enqueues.
template <class Activation, class Machine, class W, class X, class Y>
void dense_forward(Machine& machine, W w, const float* bias, X x, Y y) {
  if constexpr (Machine::fuses(Fusion::dense)) {
    machine.template dense_forward<Activation>(w, bias, x, y);
  } else {
    product_and_activation<Activation>(machine, w, bias, x, y);
  }
}

/// dw = dy xᵀ, dbias = Σ dy and, unless Absent, dx = wᵀ dy times the slope of Below, the
/// activation that made x. Writes, never accumulates. `again`: the scratch is as the last call with
/// the same w left it. Enqueues.
template <class Below, class Machine, class W, class X, class DY, class DW, class DX>
void dense_backward(Machine& machine, W w, X x, DY dy, DW dw, float* dbias, DX dx, float* scratch,
                    bool again = false) {
  if constexpr (Machine::fuses(Fusion::dense)) {
    machine.template dense_backward<Below>(w, x, dy, dw, dbias, dx, scratch, again);
  } else {
    machine.matmul(dy, transposed(x), dw);
    machine.for_each_team(DY::rows, RowSum<DY>{dy, dbias});
    input_gradient<Below>(machine, w, x, dy, dx);
  }
}

}  // namespace polyq::backend
