// SPDX-License-Identifier: MIT
// The sound parts of the compositions that must fail.
#pragma once
#include <polyq/backend/reference.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>

using namespace polyq;
using Net = nn::Mlp<4, 8, 2>;
using Rows = replay::Uniform<64>;
