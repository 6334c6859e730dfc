// SPDX-License-Identifier: MIT
// BlasLt: products of views through cublasLt with something done behind them in the same kernel.
// What a product needs is planned at its first call, so that a capture plans nothing.
#pragma once
#include <cublasLt.h>

#include <array>
#include <cstddef>
#include <map>
#include <utility>

#include "polyq/backend/cuda_blas.hpp"

namespace polyq::backend::cuda {

class BlasLt {
 public:
  /// `workspace` is device memory of Blas::workspace_bytes, 256-byte aligned, that outlives this.
  BlasLt(cudaStream_t stream, void* workspace) : stream_(stream), workspace_(workspace) {
    cublasLtHandle_t handle = nullptr;
    check(cublasLtCreate(&handle));
    handle_ = Handle(handle);
  }

  /// out = x y in float, then the epilogue with `vector` [Out::rows]: a bias that is read, or a
  /// bias gradient, the sum over x's columns, that is written. Enqueues. Throws DeviceError where
  /// cublasLt has no such kernel.
  template <class X, class Y, class Out>
  void product(X x, Y y, Out out, cublasLtEpilogue_t epilogue, const float* vector) {
    static_assert(X::columns == Y::rows && X::rows == Out::rows && Y::columns == Out::columns);
    using A = Operand<X>;
    using B = Operand<Y>;
    const Key key{A::operation,      B::operation,      Out::rows,   Out::columns, X::columns,
                  A::Stored::stride, B::Stored::stride, Out::stride, epilogue};
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      Plan made;
      made.what = make_description(A::operation, B::operation, epilogue);
      made.x = make_layout<typename A::Stored>();
      made.y = make_layout<typename B::Stored>();
      made.out = make_layout<Out>();
      set(made.what, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
      made.how = choose(made);
      found = plans_.emplace(key, std::move(made)).first;
    }
    const Plan& plan = found->second;
    set(plan.what, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    const float one = 1, zero = 0;
    check(cublasLtMatmul(handle_.get(), plan.what.get(), &one, A::data(x), plan.x.get(), B::data(y),
                         plan.y.get(), &zero, out.data, plan.out.get(), out.data, plan.out.get(),
                         &plan.how, workspace_, Blas::workspace_bytes, stream_));
  }

 private:
  using Handle = Unique<cublasLtHandle_t, cublasLtDestroy>;
  using Description = Unique<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Unique<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
  using Preference = Unique<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;
  using Key = std::array<int, 9>;
  struct Plan {
    Description what;
    Layout x, y, out;
    cublasLtMatmulAlgo_t how;
  };

  template <class Value>
  static void set(const Description& what, cublasLtMatmulDescAttributes_t attribute,
                  const Value& value) {
    check(cublasLtMatmulDescSetAttribute(what.get(), attribute, &value, sizeof value));
  }
  static Description make_description(cublasOperation_t x, cublasOperation_t y,
                                      cublasLtEpilogue_t epilogue) {
    cublasLtMatmulDesc_t made = nullptr;
    check(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    Description what(made);
    set(what, CUBLASLT_MATMUL_DESC_TRANSA, x);
    set(what, CUBLASLT_MATMUL_DESC_TRANSB, y);
    set(what, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    return what;
  }
  template <class M>
  static Layout make_layout() {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, CUDA_R_32F, M::rows, M::columns, M::stride));
    return Layout(made);
  }
  cublasLtMatmulAlgo_t choose(const Plan& plan) const {
    cublasLtMatmulPreference_t made = nullptr;
    check(cublasLtMatmulPreferenceCreate(&made));
    const Preference preference(made);
    const std::size_t bytes = Blas::workspace_bytes;
    check(cublasLtMatmulPreferenceSetAttribute(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &bytes, sizeof bytes));
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle_.get(), plan.what.get(), plan.x.get(), plan.y.get(),
                                         plan.out.get(), plan.out.get(), made, 1, &found, &count));
    if (count == 0) check(CUBLAS_STATUS_NOT_SUPPORTED);
    return found.algo;
  }

  cudaStream_t stream_;
  void* workspace_;
  Handle handle_;
  std::map<Key, Plan> plans_;
};

}  // namespace polyq::backend::cuda
