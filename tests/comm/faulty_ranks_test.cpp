// SPDX-License-Identifier: MIT
// Faulty ranks over Threads: nothing happens before the chosen operation, and there only on the
// chosen rank; in a recording each of its runs counts.
#include "comm/faulty_ranks.hpp"

#include <doctest/doctest.h>

#include <polyq/backend/reference.hpp>
#include <polyq/comm/threads.hpp>
#include <stdexcept>
#include <string>

#include "comm/contract.hpp"

namespace {

using polyq::CommError;
using polyq::backend::Reference;
using polyq::comm::Deadline;
using polyq::comm::Threads;
using Faulty = test::Faulty<Threads>;

/// What rank 0 is told when rank 1 has a fault at its third sum, of four in a recording.
std::string told_of(const test::Fault<Threads>& fault) {
  std::string told;
  const auto body = [&](const Threads& threads) {
    const Faulty ranks(threads, 1, 3, fault);
    Reference::Machine machine{{}};
    const auto span = machine.allocate<float>(5);
    auto sum = machine.record(
        test::RecordedSum<Faulty, Reference::Machine>{ranks, &machine, span.get(), 5});
    try {
      for (int call = 0; call < 4; ++call) sum();
    } catch (const CommError& error) {
      if (ranks.rank() == 0) told = error.what();
      throw;
    }
  };
  CHECK_THROWS(Threads::run(2, body, Deadline(.2)));
  return told;
}

}  // namespace

TEST_CASE("without its fault it keeps the contract") {
  Threads::run(2, [](const Threads& threads) {
    Reference::Machine machine{{}};
    test::check_contract(Faulty(threads, 2, 1, test::error("never")), machine);
  });
}

TEST_CASE("a rank is late, fails or gives up at the operation that was chosen") {
  CHECK(told_of(test::late(Deadline(.5))).find("(operation 3) waited") != std::string::npos);
  CHECK(told_of(test::error("no luck")) ==
        "polyq: rank 0: all_reduce_sum of 5 floats (operation 3): rank 1 gave up: no luck");
  CHECK(told_of(test::giving_up("no power")) ==
        "polyq: rank 0: all_reduce_sum of 5 floats (operation 3): rank 1 gave up: no power");
  CHECK(told_of([](const Threads& threads) {
          threads.barrier();
        }).find("rank 1 called barrier (operation 3)") != std::string::npos);
}
