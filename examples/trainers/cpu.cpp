// SPDX-License-Identifier: MIT
// The trainer on CPUs: one core, or a core for each of several ranks.
#include <polyq/backend/eigen_cpu.hpp>

#include "agent.hpp"
#include "host_ranks.hpp"

polyq::backend::EigenCpu on_cpu(const trainer::Device&) { return {}; }

int main(int argc, char** argv) {
  return trainer::train_agent(argc, argv, "EigenCpu", on_cpu, trainer::HostRanks{});
}
