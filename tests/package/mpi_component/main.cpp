// SPDX-License-Identifier: MIT
// One process, which is one rank.
#include <cstdint>
#include <polyq/comm/mpi.hpp>

int main() {
  const polyq::comm::Mpi ranks = polyq::comm::Mpi::world();
  std::uint64_t words[] = {7};
  ranks.agree(words);
  return ranks.size() == 1 && ranks.rank() == 0 && words[0] == 7 ? 0 : 1;
}
