// SPDX-License-Identifier: MIT
// The trainer on one GPU: agent, replay and environments live there.
#include <polyq/backend/thrust_cuda.cuh>

#include "agent.hpp"

polyq::backend::ThrustCuda on_gpu(const trainer::Device& device) {
  return {.device = device.number};
}

int main(int argc, char** argv) {
  return trainer::train_agent(argc, argv, "ThrustCuda", on_gpu, trainer::Alone{});
}
