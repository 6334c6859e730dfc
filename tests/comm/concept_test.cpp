// SPDX-License-Identifier: MIT
// The least that a user's communicator may be: it meets the concept, moves a span, and is refused
// when something is missing. None moves nothing.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <polyq/comm/concept.hpp>
#include <span>
#include <string>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"
#include "twin.hpp"

namespace {

namespace backend = polyq::backend;
namespace comm = polyq::comm;
using test::Twin;

struct Uncopyable : Twin {
  std::unique_ptr<int> handle;
};
struct Unranked : Twin {
  void rank() const;
};
struct Unreachable : Twin {  // does not say which memory it reaches
  void reaches(backend::Memory) const;
};
struct Disagreeing : Twin {
  void agree(int) const;
};
struct Mute : Twin {  // moves nothing
  void all_reduce_sum() const;
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
  static_assert(!comm::Communicator<Disagreeing>);
  static_assert(comm::Communicator<Mute> && !comm::CommunicatorOn<Mute, Machine>);
  static_assert(!comm::Communicator<int>);
}

TEST_CASE_TEMPLATE("None leaves a span alone and gathers it, a user's communicator sums it", B,
                   POLYQ_BACKENDS) {
  typename B::Machine machine{B{}};
  std::vector<float> before(37);  // full packets and a rest
  for (int i = 0; i < 37; ++i) before[i] = float(i);
  const auto span = test::uploaded(machine, before);
  comm::None{}.all_reduce_sum(machine, span.get(), before.size());
  CHECK(test::downloaded(machine, span.get(), 37) == before);
  const auto all = test::uploaded(machine, std::vector<float>(37));
  comm::None{}.all_gather(machine, span.get(), all.get(), before.size());
  CHECK(test::downloaded(machine, all.get(), 37) == before);
  comm::None{}.broadcast(machine, span.get(), before.size(), 0);
  comm::None{}.synchronize(machine);
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
