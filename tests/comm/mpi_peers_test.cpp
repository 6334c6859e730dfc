// SPDX-License-Identifier: MIT
// MpiPeers: messages of every size, both ways, one way and of unlike sizes.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <polyq/comm/mpi_peers.hpp>
#include <span>
#include <vector>

namespace {

using namespace polyq::comm;

std::vector<std::byte> sent_by(int rank, std::size_t n) {
  std::vector<std::byte> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = std::byte((i * 7 + i / 256 + rank * 31) & 255);
  return bytes;
}

}  // namespace

TEST_CASE("what a rank sends is what the next receives, in pieces or whole") {
  const auto session = MpiSession::world();
  const int rank = MpiSession::rank_of(MPI_COMM_WORLD), size = MpiSession::size_of(MPI_COMM_WORLD);
  if (size == 1) return;
  const int to = (rank + 1) % size, from = (rank + size - 1) % size;
  std::uint64_t number = 0;
  {
    MpiPeers peers(session, MPI_COMM_WORLD, default_deadline);
    for (const std::size_t n : {0, 1, 3'999, 4'000, 4'001, 131'072, 131'073, 1'000'000}) {
      const std::vector<std::byte> mine = sent_by(rank, n);
      std::vector<std::byte> received(n);
      peers.begin({++number, Operation::barrier, 0, n, 0});
      peers.receive(from, received);
      peers.send(to, mine);
      peers.wait();
      CHECK(received == sent_by(from, n));
      peers.begin({++number, Operation::barrier, 0, n, 0});
      if (rank == 0) {
        peers.send(1, mine);
        peers.wait();
      } else if (rank == 1) {
        peers.receive(0, received);
        peers.wait();
        CHECK(received == sent_by(0, n));
      }
    }
  }
}
