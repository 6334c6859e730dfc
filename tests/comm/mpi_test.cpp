// SPDX-License-Identifier: MIT
// Mpi: the contract on every backend of host memory, run by 1 to 4 processes; the order in which it
// sums; communicators of the user's. What happens on a failure: mpi_faults.py.
#include <doctest/doctest.h>
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <polyq/comm/mpi.hpp>
#include <vector>

#include "backends.hpp"
#include "comm/contract.hpp"

namespace {

using polyq::backend::Reference;
using polyq::comm::Deadline;
using polyq::comm::Mpi;

/// MPI begins once in a process.
const Mpi& world() {
  static const Mpi ranks = Mpi::world();
  return ranks;
}

/// The sum of ranks [first, last) along the binary tree over ranks, or in order where there is
/// none.
std::vector<float> sum_of(int first, int last, bool tree, std::size_t n) {
  if (last - first == 1) return test::brought_by(first, n);
  const int middle = tree ? (first + last) / 2 : last - 1;
  std::vector<float> sum = sum_of(first, middle, tree, n);
  const std::vector<float> other = sum_of(middle, last, tree, n);
  for (std::size_t i = 0; i < n; ++i) sum[i] += other[i];
  return sum;
}

}  // namespace

TEST_CASE_TEMPLATE("Mpi keeps the contract of communicators", B, POLYQ_BACKENDS) {
  typename B::Machine machine{B{}};
  test::check_contract(world(), machine);
}

TEST_CASE("sums of every size follow one order") {
  Reference::Machine machine{{}};
  const int size = world().size();
  const bool tree = size != 3;
  // around what four ranks send whole (8192 floats), two (131072), and in pieces (halves of 65536)
  for (const std::size_t n : {1, 999, 8'192, 8'193, 65'536, 65'600, 131'072, 131'073, 300'001}) {
    CAPTURE(n);
    std::vector<float> span = test::brought_by(world().rank(), n);
    world().all_reduce_sum(machine, span.data(), n);
    CHECK(span == sum_of(0, size, tree, n));
  }
}

TEST_CASE("a communicator of the user's, and several at once") {
  Reference::Machine machine{{}};
  MPI_Comm halves = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, world().rank() % 2, -world().rank(), &halves);
  {
    const Mpi half(halves, Deadline(30));
    test::check_contract(half, machine);
    std::vector<float> one(100, 1), other(100, 1);
    for (int turn = 0; turn < 10; ++turn) {
      half.all_reduce_sum(machine, one.data(), one.size());
      world().all_reduce_sum(machine, other.data(), other.size());
    }
    CHECK(test::equal_on_all(world(), other));
    half.check();
  }
  MPI_Comm_free(&halves);
  world().barrier();
}

TEST_CASE("a deadline of nothing is refused") {
  world().barrier();  // MPI has begun
  CHECK_THROWS_WITH_AS(Mpi::world(Deadline(0)), "polyq: deadline in seconds = 0; allowed: (0, 1e9]",
                       polyq::SettingsError);
}
