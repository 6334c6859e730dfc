// SPDX-License-Identifier: MIT
// MpiSession: one beginning, one end, and the codes of a forced one.
#include <doctest/doctest.h>
#include <mpi.h>

#include <memory>
#include <polyq/comm/mpi_session.hpp>
#include <string>

using polyq::CommError;
using polyq::comm::MpiSession;

TEST_CASE("the first holder begins MPI, others share it, the last one ends it") {
  std::shared_ptr<MpiSession> first = MpiSession::world();
  std::shared_ptr<MpiSession> second = MpiSession::world();
  CHECK(first == second);
  CHECK(first->owns());
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  CHECK(begun);
  CHECK(MpiSession::rank_of(MPI_COMM_WORLD) < MpiSession::size_of(MPI_COMM_WORLD));
  MpiSession::check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
  try {
    MpiSession::check(MPI_Send(nullptr, 0, MPI_BYTE, -7, 0, MPI_COMM_WORLD), "MPI_Send");
    CHECK(false);
  } catch (const CommError& error) {
    CHECK(std::string(error.what()).find("polyq: MPI_Send: ") == 0);
    CHECK(error.kind == CommError::Kind::lost);
  }
  first.reset();
  MPI_Finalized(&ended);
  CHECK(!ended);
  second.reset();
  MPI_Finalized(&ended);
  CHECK(ended);
  CHECK_THROWS_WITH_AS(MpiSession::world(), "polyq: MPI has been finalised", CommError);
}

TEST_CASE("a lost rank asks for another start, other failures do not") {
  CHECK(MpiSession::code_of(CommError::Kind::lost) == 75);
  CHECK(MpiSession::code_of(CommError::Kind::differs) == 2);
  CHECK(MpiSession::code_of(CommError::Kind::gave_up) == 2);
}
