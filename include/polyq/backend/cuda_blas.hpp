// SPDX-License-Identifier: MIT
// Blas: products of views through cuBLAS on one stream, in a workspace that its owner gives, since
// only then are the bits of two runs promised to be equal and a capture allocates nothing.
#pragma once
#include <cublas_v2.h>

#include <cstddef>

#include "polyq/backend/cuda_runtime.hpp"
#include "polyq/core/matrix.hpp"

namespace polyq::backend::cuda {

/// Throws DeviceError, naming the call's place, unless the call succeeded.
inline void check(cublasStatus_t status, Place at = Place::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError("polyq: cuBLAS: " + std::string(cublasGetStatusString(status)) + " (" +
                    shown(int(status)) + "), at " + at.text());
}

/// A view as cuBLAS is told of it: the stored matrix, and whether it is read transposed.
template <class M>
struct Operand {
  using Stored = M;
  static constexpr cublasOperation_t operation = CUBLAS_OP_N;
  static auto data(M matrix) { return matrix.data; }
};
template <class M>
struct Operand<core::Transposed<M>> {
  using Stored = M;
  static constexpr cublasOperation_t operation = CUBLAS_OP_T;
  static auto data(core::Transposed<M> matrix) { return matrix.of.data; }
};

class Blas {
 public:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // NVIDIA's for Hopper

  /// `workspace` is device memory, 256-byte aligned, that outlives this.
  Blas(cudaStream_t stream, void* workspace) {
    cublasHandle_t handle = nullptr;
    check(cublasCreate(&handle));
    handle_ = Handle(handle);
    check(cublasSetStream(handle, stream));  // first, since it resets the workspace
    check(cublasSetWorkspace(handle, workspace, workspace_bytes));
  }

  /// out = x y, in float. Enqueues.
  template <class X, class Y, class Out>
  void product(X x, Y y, Out out) {
    static_assert(X::columns == Y::rows && X::rows == Out::rows && Y::columns == Out::columns);
    if constexpr (Operand<Out>::operation == CUBLAS_OP_T) {
      product(transposed(y), transposed(x), out.of);
    } else {
      const float one = 1, zero = 0;
      check(cublasSgemm(handle_.get(), Operand<X>::operation, Operand<Y>::operation, Out::rows,
                        Out::columns, X::columns, &one, Operand<X>::data(x),
                        Operand<X>::Stored::stride, Operand<Y>::data(y), Operand<Y>::Stored::stride,
                        &zero, out.data, Out::stride));
    }
  }

 private:
  using Handle = Unique<cublasHandle_t, cublasDestroy>;
  Handle handle_;
};

}  // namespace polyq::backend::cuda
