// SPDX-License-Identifier: MIT
// POLYQ_BACKENDS: the backends on which every backend-typed test runs.
#pragma once
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/backend/reference.hpp>

#define POLYQ_BACKENDS polyq::backend::Reference, polyq::backend::EigenCpu
