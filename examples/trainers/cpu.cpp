// SPDX-License-Identifier: MIT
// The trainer on one core of a CPU.
#include <polyq/backend/eigen_cpu.hpp>

#include "cart_pole.hpp"

polyq::backend::EigenCpu on_cpu(const trainer::Device&) { return {}; }

int main(int argc, char** argv) { return trainer::train_cart_pole(argc, argv, "EigenCpu", on_cpu); }
