// SPDX-License-Identifier: MIT
// The umbrella for host compilers: everything but Thrust, CUDA, MPI, NCCL and file formats, each
// of which is included by name.
#pragma once
#include "polyq/backend/eigen_cpu.hpp"
#include "polyq/backend/reference.hpp"
#include "polyq/dqn/greedy.hpp"
#include "polyq/env/cart_pole.hpp"
#include "polyq/env/host.hpp"
#include "polyq/env/vectorized.hpp"
#include "polyq/nn/scale.hpp"
#include "polyq/nn/sequential.hpp"
#include "polyq/optim/adam.hpp"
#include "polyq/optim/clipped.hpp"
#include "polyq/optim/sgd.hpp"
#include "polyq/replay/uniform.hpp"
#include "polyq/train/progress.hpp"
#include "polyq/train/train.hpp"
