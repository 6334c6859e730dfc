// SPDX-License-Identifier: MIT
// POLYQ_BACKENDS: the backends on which every backend-typed test runs. POLYQ_TEST_STRICT puts
// Strict, which enforces what a GPU asks for, in ThrustHost's place.
#pragma once
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/backend/reference.hpp>
#include <polyq/backend/thrust.hpp>

#ifdef POLYQ_TEST_STRICT
#include "strict.hpp"
#define POLYQ_BACKENDS polyq::backend::Reference, polyq::backend::EigenCpu, test::Strict
#else
#define POLYQ_BACKENDS \
  polyq::backend::Reference, polyq::backend::EigenCpu, polyq::backend::ThrustHost
#endif
