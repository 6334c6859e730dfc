// SPDX-License-Identifier: MIT
// FusedDense: the claim `dense` of a CUDA machine: product, bias and ReLU in one kernel, and the
// weight's gradient with the bias's in one, by cublasLt's epilogues.
#pragma once
#include <cstdint>
#include <type_traits>

#include "polyq/backend/cuda_blas_lt.hpp"
#include "polyq/backend/dense.hpp"
#include "polyq/math/activation.hpp"

namespace polyq::backend::cuda {

/// y ← act(y)
template <class Activation, class Y>
struct Activate {
  Y y;
  POLYQ_HD void operator()(std::int64_t i) const {
    float& value = y(int(i % Y::rows), int(i / Y::rows));
    value = Activation::value(value);
  }
};

/// dense_forward and dense_backward for `Machine`, which derives from this, has a `blas_lt_` and
/// makes this a friend. Both enqueue.
template <class Machine>
class FusedDense {
 public:
  template <class Activation, class W, class X, class Y>
  void dense_forward(W w, const float* bias, X x, Y y) {
    constexpr bool relu = std::is_same_v<Activation, math::Relu>;
    machine().blas_lt_.product(w, x, y, relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS,
                               bias);
    if constexpr (!relu && !std::is_same_v<Activation, math::Identity>)
      machine().for_each(std::int64_t{Y::rows} * Y::columns, Activate<Activation, Y>{y});
  }
  template <class Below, class W, class X, class DY, class DW, class DX>
  void dense_backward(W w, X x, DY dy, DW dw, float* dbias, DX dx, float* /*scratch*/) {
    machine().blas_lt_.product(dy, transposed(x), dw, CUBLASLT_EPILOGUE_BGRADA, dbias);
    if constexpr (!std::is_same_v<DX, core::Absent>) {
      machine().matmul(transposed(w), dy, dx);
      if constexpr (!std::is_same_v<Below, math::Identity>)
        machine().for_each(std::int64_t{X::rows} * X::columns, PullBack<Below, X, DX>{x, dx});
    }
  }

 private:
  Machine& machine() { return static_cast<Machine&>(*this); }
};

}  // namespace polyq::backend::cuda
