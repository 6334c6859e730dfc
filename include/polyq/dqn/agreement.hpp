// SPDX-License-Identifier: MIT
// Agreement: what the ranks of an agent settle between them: the same parameters, and whether to
// stop or to save. With one rank nothing moves.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "polyq/backend/concept.hpp"
#include "polyq/core/error.hpp"
#include "polyq/core/hash.hpp"

namespace polyq {

/// Makes `all` the same on every rank, where this one has filled the elements i of is_mine(i), and
/// no two ranks the same. Waits. Throws CommError.
template <class Comm, class T, class IsMine>
void share(const Comm& comm, std::vector<T>& all, IsMine is_mine) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);
  if (comm.size() == 1) return;
  constexpr std::size_t each = sizeof(T) / sizeof(std::uint64_t);
  std::vector<std::uint64_t> words(all.size() * each);  // zero where others fill: pads too
  for (std::size_t i = 0; i < all.size(); ++i)
    if (is_mine(i)) std::memcpy(&words[i * each], &all[i], sizeof(T));
  comm.agree(words);
  std::memcpy(all.data(), words.data(), all.size() * sizeof(T));
}

/// Waits within the ranks' deadline, in front of what waits without one; nothing for comm::None.
/// Throws CommError.
template <class Agent>
void await_ranks(Agent& agent) {
  if constexpr (!Agent::alone) agent.comm().synchronize(agent.machine());
}

/// What a rank votes for at a chunk's end; either counts where any rank asks for it.
struct Ballot {
  bool stop = false, checkpoint = false;
};

/// The ranks whose hash is not the most frequent one; among equals rank 0's counts.
inline std::vector<int> outvoted(const std::vector<std::uint64_t>& hashes) {
  std::uint64_t most = hashes[0];
  for (const std::uint64_t hash : hashes)
    if (std::count(hashes.begin(), hashes.end(), hash) >
        std::count(hashes.begin(), hashes.end(), most))
      most = hash;
  std::vector<int> ranks;
  for (std::size_t r = 0; r < hashes.size(); ++r)
    if (hashes[r] != most) ranks.push_back(int(r));
  return ranks;
}

/// Throws CommError, which names the ranks whose hash is outvoted; from then on every call throws.
template <class Comm>
[[noreturn]] void refuse_outvoted(const Comm& comm, std::uint64_t hash, const std::string& when) {
  std::vector<std::uint64_t> hashes(std::size_t(comm.size()));
  hashes[std::size_t(comm.rank())] = hash;
  share(comm, hashes, [&](std::size_t r) { return int(r) == comm.rank(); });
  const std::vector<int> ranks = outvoted(hashes);
  std::string names;
  for (const int rank : ranks) names += (names.empty() ? " " : ", ") + shown(rank);
  const std::string message = "polyq: rank" + std::string(ranks.size() == 1 ? "" : "s") + names +
                              " held other parameters than the rest " + when +
                              "; start every rank from the same build on the same kind of "
                              "processor, and set parameters on all";
  comm.abort(message);
  throw CommError(CommError::Kind::differs, message, ranks);
}

template <class Agent>
std::uint64_t hash_of_parameters(Agent& agent) {
  const std::vector<float> parameters = agent.parameters();
  return core::fnv1a(std::as_bytes(std::span(parameters)));
}

/// Parameters are equal by construction; rank 0's are sent to all, to see whether they are. Waits.
/// Throws CommError.
template <class Agent>
void require_equal_start(Agent& agent) {
  agent.comm().barrier();  // refuses another run before anything depends on its sizes
  auto& machine = agent.machine();
  machine.for_each_element(Agent::P, backend::CopyElement{agent.gradient(), agent.online()});
  agent.comm().broadcast(machine, agent.gradient(), Agent::P, 0);
  agent.comm().synchronize(machine);
  std::uint64_t differs = agent.parameters(agent.gradient()) != agent.parameters();
  machine.zero(agent.gradient(), Agent::P * sizeof(float));
  agent.comm().agree({&differs, 1});
  if (differs) refuse_outvoted(agent.comm(), hash_of_parameters(agent), "at the start");
}

/// One agreement: the votes of all ranks, and whether they hold the same parameters. Waits. Throws
/// CommError.
template <class Agent>
Ballot agree(Agent& agent, Ballot mine) {
  if (agent.comm().size() == 1) return mine;
  const std::uint64_t hash = hash_of_parameters(agent);
  std::uint64_t words[] = {mine.stop, mine.checkpoint, hash, ~hash};
  agent.comm().agree(words);
  if (words[2] != ~words[3]) refuse_outvoted(agent.comm(), hash, "at a chunk's end");
  return {words[0] != 0, words[1] != 0};
}

}  // namespace polyq
