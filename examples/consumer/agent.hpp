// SPDX-License-Identifier: MIT
// The agent of this program: named once, compiled once, in agent.cpp.
#pragma once
#include <polyq/polyq.hpp>

using Agent = polyq::Dqn<polyq::backend::EigenCpu, polyq::nn::Mlp<4, 32, 2>,
                         polyq::replay::Uniform<32>, polyq::optim::Adam>;
extern template class polyq::Dqn<polyq::backend::EigenCpu, polyq::nn::Mlp<4, 32, 2>,
                                 polyq::replay::Uniform<32>, polyq::optim::Adam>;
