// SPDX-License-Identifier: MIT
// Communicator: a copyable handle by which the ranks of a run move spans between them. None: one
// rank, nothing to move.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "polyq/backend/concept.hpp"

namespace polyq::comm {

/// Every rank calls the same operations in the same order with the same sizes; what does not
/// complete within the communicator's deadline throws CommError, and so does every call from then
/// on. The last copy of a handle closes it.
/// - introduce(run): a hash of what this rank runs; from then on a partner that introduced another
///   is refused.
/// - agree(words): element-wise maximum over the ranks, in place, equal on all. Waits.
/// - barrier(): waits for all ranks.
/// - check(): throws CommError if an earlier call failed.
/// - abort(reason): tells the others that this rank gives up; every later call throws, here and
///   there.
template <class C>
concept Communicator = std::copyable<C> &&
    requires(const C& c, std::span<std::uint64_t> words, const std::string& reason) {
  { c.rank() } -> std::same_as<int>;
  { c.size() } -> std::same_as<int>;
  { C::reaches(backend::Memory::host) } -> std::same_as<bool>;
  c.introduce(std::uint64_t{});
  c.agree(words);
  c.barrier();
  c.check();
  { c.abort(reason) }
  noexcept;
};

/// On the machine's memory, behind what is enqueued on it and before what follows:
/// - all_reduce_sum(machine, span, n): in place; the same bits on every rank.
/// - all_gather(machine, mine [n], all [size · n], n): rank r's part begins at r · n.
/// - broadcast(machine, span, n, root).
/// These three enqueue and can be recorded.
/// - synchronize(machine): waits for the machine, within the deadline.
template <class C, class Machine>
concept CommunicatorOn = Communicator<C> &&
    requires(const C& c, Machine& machine, const float* mine, float* span) {
  c.all_reduce_sum(machine, span, std::size_t{});
  c.all_gather(machine, mine, span, std::size_t{});
  c.broadcast(machine, span, std::size_t{}, int{});
  c.synchronize(machine);
};

struct None {
  static constexpr bool reaches(backend::Memory) { return true; }
  static constexpr int rank() { return 0; }
  static constexpr int size() { return 1; }
  void introduce(std::uint64_t) const {}
  void agree(std::span<std::uint64_t>) const {}
  void barrier() const {}
  void check() const {}
  void abort(const std::string&) const noexcept {}
  template <class Machine>
  void all_reduce_sum(Machine&, float*, std::size_t) const {}
  template <class Machine>
  void all_gather(Machine& machine, const float* mine, float* all, std::size_t n) const {
    machine.for_each_element(std::int64_t(n), backend::CopyElement{all, mine});
  }
  template <class Machine>
  void broadcast(Machine&, float*, std::size_t, int) const {}
  template <class Machine>
  void synchronize(Machine& machine) const {
    machine.synchronize();
  }
};

}  // namespace polyq::comm
