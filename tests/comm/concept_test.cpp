// SPDX-License-Identifier: MIT
// The least that a user's communicator may be: it meets the concept, moves a span, and is refused
// when something is missing. None moves nothing.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <polyq/comm/concept.hpp>

#include "backends.hpp"

namespace {

namespace backend = polyq::backend;
namespace comm = polyq::comm;

/// A user's communicator: the rank has a twin that always holds the same numbers.
struct Twin {
  struct Double {
    float* span;
    template <class Lane>
    void operator()(Lane i) const {
      i.store(span, i.load(span) + i.load(span));
    }
  };
  static constexpr bool reaches(backend::Memory memory) { return memory == backend::Memory::host; }
  int rank() const { return 0; }
  int size() const { return 2; }
  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t count) const {
    machine.for_each_element(std::int64_t(count), Double{span});
  }
};

struct Uncopyable : Twin {
  std::unique_ptr<int> handle;
};
struct Unranked : Twin {
  void rank() const;
};
struct Unreachable {  // does not say which memory it reaches
  int rank() const;
  int size() const;
};
struct Mute {  // moves nothing, not even between one rank
  static constexpr bool reaches(backend::Memory) { return true; }
  int rank() const;
  int size() const;
};

}  // namespace

TEST_CASE_TEMPLATE("the concept takes None and a user's communicator, and no broken one", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  static_assert(comm::Communicator<comm::None> && comm::CommunicatorOn<comm::None, Machine>);
  static_assert(comm::Communicator<Twin> && comm::CommunicatorOn<Twin, Machine>);
  static_assert(!comm::Communicator<Uncopyable>);
  static_assert(!comm::Communicator<Unranked>);
  static_assert(!comm::Communicator<Unreachable>);
  static_assert(comm::Communicator<Mute> && !comm::CommunicatorOn<Mute, Machine>);
  static_assert(!comm::Communicator<int>);
}

TEST_CASE_TEMPLATE("None leaves a span alone, a user's communicator sums it", B, POLYQ_BACKENDS) {
  typename B::Machine machine{B{}};
  alignas(64) std::array<float, 37> span;  // full packets and a rest
  for (int i = 0; i < 37; ++i) span[i] = float(i);
  const std::array<float, 37> before = span;
  comm::None{}.all_reduce_sum(machine, span.data(), span.size());
  CHECK(span == before);
  Twin{}.all_reduce_sum(machine, span.data(), span.size());
  for (int i = 0; i < 37; ++i) CHECK(span[i] == float(2 * i));
}

TEST_CASE("None is one rank of one, and reaches every memory") {
  static_assert(comm::None::rank() == 0 && comm::None::size() == 1);
  static_assert(comm::None::reaches(backend::Memory::host));
  static_assert(comm::None::reaches(backend::Memory::device));
}
