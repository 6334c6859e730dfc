// SPDX-License-Identifier: MIT
// HostRanks: how the ranks of a trainer on CPUs meet: alone, as threads of one process, or over
// MPI.
#pragma once
#include <functional>
#include <polyq/comm/host_ranks.hpp>

#include "options.hpp"

namespace trainer {

/// Calls `use` on every rank of this process and returns what it returned on the first. Throws
/// UsageError for a launch that cannot be, CommError when ranks lose each other.
struct HostRanks {
  using Use = std::function<int(const Options&, const polyq::comm::HostRanks&)>;
  int operator()(const Options& options, const Use& use) const;
};

}  // namespace trainer
