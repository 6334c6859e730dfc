// SPDX-License-Identifier: MIT
// Report: what a trainer says of a run that ended: two lines, a JSON object, an exit code.
#pragma once
#include <cstdint>
#include <polyq/train/train.hpp>
#include <string>

#include "options.hpp"

namespace trainer {

enum class Ending { budget, goal, interrupted, diverged, environment_error };

struct Facts {
  Ending ending;
  polyq::TrainResult result;    // of a run that failed: NaN, or of its last whole chunk
  std::uint64_t weights_fnv1a;  // of the last parameters
  int ranks, shards;
};

/// Of the program whose run ended so.
int exit_code(const Facts& facts);

/// Prints what is known to standard output, the JSON object last, and returns the exit code.
/// Why a run failed was said before.
int report(const Options& options, const char* backend, const Facts& facts);

}  // namespace trainer
