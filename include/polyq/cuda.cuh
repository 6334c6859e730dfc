// SPDX-License-Identifier: MIT
// The umbrella for nvcc: one GPU's backend and everything that runs on it. No Eigen: nvcc turns its
// SIMD off, also for what a host compiler made of the same templates.
#pragma once
#include "polyq/backend/reference.hpp"
#include "polyq/backend/thrust_cuda.cuh"
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
