// SPDX-License-Identifier: MIT
// POLYQ_BACKENDS: the backends on which every backend-typed test runs: the host's, or, compiled by
// nvcc, the GPU's. test::Fast: the one of them that is made for speed. The GPU's twin among the
// host's is ThrustHost, Strict, which enforces what a GPU asks for, or none: POLYQ_TEST_TWIN.
// Reference is among them where POLYQ_TEST_REFERENCE says so.
#pragma once
#include <polyq/backend/reference.hpp>

#ifdef __CUDACC__
#include <polyq/backend/thrust_cuda.cuh>
#define POLYQ_BACKENDS polyq::backend::ThrustCuda, polyq::backend::ThrustCudaFused
namespace test {
using Fast = polyq::backend::ThrustCuda;
constexpr bool on_gpu = true;  // rounds otherwise than the host: FMA, sine, the order of sums
}  // namespace test

#else
#include <polyq/backend/eigen_cpu.hpp>
namespace test {
using Fast = polyq::backend::EigenCpu;
constexpr bool on_gpu = false;
}  // namespace test
#ifdef POLYQ_TEST_REFERENCE
#define POLYQ_HOST_BACKENDS polyq::backend::Reference, test::Fast
#else
#define POLYQ_HOST_BACKENDS test::Fast
#endif
#if defined(POLYQ_TEST_TWIN_THRUST)
#include <polyq/backend/thrust.hpp>
#define POLYQ_BACKENDS POLYQ_HOST_BACKENDS, polyq::backend::ThrustHost
#elif defined(POLYQ_TEST_TWIN_STRICT)
#include "strict.hpp"
#define POLYQ_BACKENDS POLYQ_HOST_BACKENDS, test::Strict
#else
#define POLYQ_BACKENDS POLYQ_HOST_BACKENDS
#endif
#endif

#include <vector>

namespace test {

/// A backend in every order in which it can visit indices: three of Strict, one of any other.
template <class B>
std::vector<B> in_all_orders() {
  if constexpr (requires(B backend) { backend.order = {}; }) {
    using Order = decltype(B::order);
    return {B{Order::forward}, B{Order::reverse}, B{Order::shuffled}};
  } else {
    return {B{}};
  }
}

}  // namespace test
