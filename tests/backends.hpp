// SPDX-License-Identifier: MIT
// POLYQ_BACKENDS: the backends on which every backend-typed test runs: the host's, or, compiled by
// nvcc, the GPU's; test::Fast: the one of them that is made for speed. POLYQ_TEST_STRICT puts
// Strict, which enforces what a GPU asks for, in ThrustHost's place.
#pragma once
#include <polyq/backend/reference.hpp>

#ifdef __CUDACC__
#include <polyq/backend/thrust_cuda.cuh>
#define POLYQ_BACKENDS polyq::backend::ThrustCuda
namespace test {
using Fast = polyq::backend::ThrustCuda;
}
#else
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/backend/thrust.hpp>
namespace test {
using Fast = polyq::backend::EigenCpu;
}
#ifdef POLYQ_TEST_STRICT
#include "strict.hpp"
#define POLYQ_BACKENDS polyq::backend::Reference, polyq::backend::EigenCpu, test::Strict
#else
#define POLYQ_BACKENDS \
  polyq::backend::Reference, polyq::backend::EigenCpu, polyq::backend::ThrustHost
#endif
#endif
