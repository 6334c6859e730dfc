// SPDX-License-Identifier: MIT
// The least that a user's communicator may be: it meets the concept, moves a span, and is refused
// when something is missing. None moves nothing.
#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <polyq/comm/concept.hpp>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace {

namespace backend = polyq::backend;
namespace comm = polyq::comm;

/// A user's communicator: the rank has a twin that always holds the same numbers.
struct Twin {
  struct Double {
    float* span;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      i.store(span, i.load(span) + i.load(span));
    }
  };
  static constexpr bool reaches(backend::Memory) { return true; }
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
  std::vector<float> before(37);  // full packets and a rest
  for (int i = 0; i < 37; ++i) before[i] = float(i);
  const auto span = test::uploaded(machine, before);
  comm::None{}.all_reduce_sum(machine, span.get(), before.size());
  CHECK(test::downloaded(machine, span.get(), 37) == before);
  Twin{}.all_reduce_sum(machine, span.get(), before.size());
  const std::vector<float> summed = test::downloaded(machine, span.get(), 37);
  for (int i = 0; i < 37; ++i) CHECK(summed[i] == float(2 * i));
}

TEST_CASE("None is one rank of one, and reaches every memory") {
  static_assert(comm::None::rank() == 0 && comm::None::size() == 1);
  static_assert(comm::None::reaches(backend::Memory::host));
  static_assert(comm::None::reaches(backend::Memory::device));
}
