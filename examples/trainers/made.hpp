// SPDX-License-Identifier: MIT
// Made: what a trainer was compiled as, and the agents that ./train can build.
#pragma once
#include <optional>
#include <polyq/env/concept.hpp>
#include <span>

namespace trainer {

/// Where a trainer runs; each is compiled for one kind.
struct Device {
  enum class Kind { cpu, cuda } kind = Kind::cpu;
  int number = 0;  // of a GPU
};

struct Made {
  Device::Kind device;
  const char *env, *algo;
  std::optional<polyq::env::Goal> goal;  // the environment's own
  const char* zoo = "";                  // its file of settings, flags as flat TOML
  // What can be chosen by flags; a flag without a meaning is refused.
  bool has_loss = true, has_double = true;  // of the rule
  bool has_support = false;                 // the rule needs bounds of the returns
  bool prioritized = false;
  bool explores = false;  // the network does, so that epsilon is 0 unless it is set
};

/// An agent of examples/zoo.
struct Listed {
  const char *env, *algo;
};
std::span<const Listed> zoo_agents();

}  // namespace trainer
