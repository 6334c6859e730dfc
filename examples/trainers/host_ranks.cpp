// SPDX-License-Identifier: MIT
// Threads and, where it was found, MPI.
#include "host_ranks.hpp"

#include <polyq/comm/threads.hpp>
#include <string>

#ifdef POLYQ_TRAINER_MPI
#include <polyq/comm/mpi.hpp>
#endif

namespace trainer {
namespace {

using polyq::comm::Launch;
using polyq::comm::Threads;

int as_threads(const Options& options, const HostRanks::Use& use) {
  int code = 0;
  Threads::run(
      options.ranks,
      [&](const Threads& ranks) {
        const int of_rank = use(options, ranks);
        if (ranks.rank() == 0) code = of_rank;
      },
      polyq::comm::Deadline(options.deadline_seconds));
  return code;
}

#ifdef POLYQ_TRAINER_MPI
int over_mpi(const Options& options, const HostRanks::Use& use) {
  const Launch& launch = options.launch;
  const auto ranks = polyq::comm::Mpi::world(polyq::comm::Deadline(options.deadline_seconds));
  if (ranks.rank() != launch.rank || ranks.size() != launch.size)
    throw UsageError(text(launch) + ", but MPI says rank " + polyq::shown(ranks.rank()) + " of " +
                     polyq::shown(ranks.size()) +
                     "; allowed: a start by this MPI's mpirun, or by srun --mpi=pmix");
  return use(options, ranks);
}
#else
int over_mpi(const Options& options, const HostRanks::Use&) {
  throw UsageError(text(options.launch) +
                   ", but this trainer was built without MPI; install libopenmpi-dev and build it "
                   "again, or use --ranks");
}
#endif

}  // namespace

int HostRanks::operator()(const Options& options, const Use& use) const {
  return options.launch.size > 1 ? over_mpi(options, use) : as_threads(options, use);
}

}  // namespace trainer
