// SPDX-License-Identifier: MIT
// FusedDense: the claim `dense` of a CUDA machine by cublasLt's epilogues: product, bias and ReLU
// in one kernel, and the weight's gradient with the bias's in one. Other activations stay as they
// were.
#pragma once
#include <type_traits>

#include "polyq/backend/cuda_blas_lt.hpp"
#include "polyq/backend/dense.hpp"
#include "polyq/math/activation.hpp"

namespace polyq::backend::cuda {

/// dense_forward and dense_backward for `Machine`, which derives from this, has a `blas_lt_` and
/// makes this a friend. Both enqueue.
template <class Machine>
class FusedDense {
 public:
  template <class Activation, class W, class X, class Y>
  void dense_forward(W w, const float* bias, X x, Y y) {
    if constexpr (std::is_same_v<Activation, math::Relu>) {
      machine().blas_lt_.product(w, x, y, CUBLASLT_EPILOGUE_RELU_BIAS, bias);
    } else if constexpr (std::is_same_v<Activation, math::Identity>) {
      machine().blas_lt_.product(w, x, y, CUBLASLT_EPILOGUE_BIAS, bias);
    } else {
      product_and_activation<Activation>(machine(), w, bias, x, y);
    }
  }
  template <class Below, class W, class X, class DY, class DW, class DX>
  void dense_backward(W w, X x, DY dy, DW dw, float* dbias, DX dx, float* /*scratch*/,
                      bool /*again*/) {
    machine().blas_lt_.product(dy, transposed(x), dw, CUBLASLT_EPILOGUE_BGRADA, dbias);
    input_gradient<Below>(machine(), w, x, dy, dx);
  }

 private:
  Machine& machine() { return static_cast<Machine&>(*this); }
};

}  // namespace polyq::backend::cuda
