// SPDX-License-Identifier: MIT
// Twin: the least that a user's communicator may be.
#pragma once
#include <cstddef>
#include <cstdint>
#include <polyq/backend/concept.hpp>
#include <span>
#include <string>

namespace test {

/// A user's communicator: the rank has a twin that always holds the same numbers.
struct Twin {
  struct Double {
    float* span;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      i.store(span, i.load(span) + i.load(span));
    }
  };
  static constexpr bool reaches(polyq::backend::Memory) { return true; }
  int rank() const { return 0; }
  int size() const { return 2; }
  void introduce(std::uint64_t) const {}
  void agree(std::span<std::uint64_t>) const {}
  void barrier() const {}
  void check() const {}
  void abort(const std::string&) const noexcept {}
  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t n) const {
    machine.for_each_element(std::int64_t(n), Double{span});
  }
  template <class Machine>
  void all_gather(Machine& machine, const float* mine, float* all, std::size_t n) const {
    for (float* part : {all, all + n})
      machine.for_each_element(std::int64_t(n), polyq::backend::CopyElement{part, mine});
  }
  template <class Machine>
  void broadcast(Machine&, float*, std::size_t, int) const {}
  template <class Machine>
  void synchronize(Machine& machine) const {
    machine.synchronize();
  }
};

}  // namespace test
