// SPDX-License-Identifier: MIT
// Communicator: a copyable handle that moves spans between ranks. None: one rank, nothing to move.
#pragma once
#include <concepts>
#include <cstddef>

#include "polyq/backend/concept.hpp"

namespace polyq::comm {

template <class C>
concept Communicator = std::copyable<C> && requires(const C& c) {
  { c.rank() } -> std::same_as<int>;
  { c.size() } -> std::same_as<int>;
  { C::reaches(backend::Memory::host) } -> std::same_as<bool>;
};

/// all_reduce_sum: in place, over all ranks, on the machine's stream; enqueues.
template <class C, class Machine>
concept CommunicatorOn = Communicator<C> && requires(const C& c, Machine& machine, float* span) {
  c.all_reduce_sum(machine, span, std::size_t{});
};

struct None {
  static constexpr bool reaches(backend::Memory) { return true; }
  static constexpr int rank() { return 0; }
  static constexpr int size() { return 1; }
  template <class Machine>
  void all_reduce_sum(Machine&, float*, std::size_t) const {}
};

}  // namespace polyq::comm
