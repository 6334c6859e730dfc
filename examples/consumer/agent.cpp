// SPDX-License-Identifier: MIT
// Compiles the agent; other files only refer to it.
#include "agent.hpp"

template class polyq::Dqn<polyq::backend::EigenCpu, polyq::nn::Mlp<4, 32, 2>,
                          polyq::replay::Uniform<32>, polyq::optim::Adam>;
