// SPDX-License-Identifier: MIT
// Threads: the contract for 1 to 5 ranks on every backend of host memory; what each rank is told
// when another is late, gone, elsewhere or of another kind.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <polyq/comm/threads.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backends.hpp"
#include "comm/contract.hpp"

namespace {

namespace comm = polyq::comm;
using polyq::CommError;
using polyq::backend::Reference;

/// What each of `ranks` threads was told, empty where f returned.
struct Told {
  std::vector<std::string> messages;
  std::vector<std::vector<int>> blamed;
  double seconds = 0;  // of the slowest rank, in f
};
template <class F>
Told told(int ranks, comm::Deadline deadline, F f) {
  Told result{std::vector<std::string>(std::size_t(ranks)),
              std::vector<std::vector<int>>(std::size_t(ranks))};
  std::mutex mutex;
  comm::Threads::run(
      ranks,
      [&](const comm::Threads& threads) {
        const auto begin = std::chrono::steady_clock::now();
        std::string message;
        std::vector<int> blamed;
        try {
          f(threads);
        } catch (const CommError& error) {
          message = error.what();
          blamed = error.ranks;
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        const std::lock_guard lock(mutex);
        result.messages[std::size_t(threads.rank())] = message;
        result.blamed[std::size_t(threads.rank())] = blamed;
        result.seconds = std::max(result.seconds, seconds.count());
      },
      deadline);
  return result;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_TEMPLATE("Threads keep the contract of communicators", B, POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    for (const int ranks : {1, 2, 3, 4, 5}) {
      CAPTURE(ranks);
      comm::Threads::run(ranks, [&](const comm::Threads& threads) {
        CHECK(threads.size() == ranks);
        typename B::Machine machine{B{}};
        test::check_contract(threads, machine);
      });
    }
  }
}

TEST_CASE("Threads alone are one rank") {
  const comm::Threads alone;
  CHECK(alone.size() == 1);
  CHECK(alone.rank() == 0);
  static_assert(comm::Threads::reaches(polyq::backend::Memory::host));
  static_assert(!comm::Threads::reaches(polyq::backend::Memory::device));
  Reference::Machine machine{{}};
  test::check_contract(alone, machine);
}

TEST_CASE("a late rank is named by all others within the deadline and a second") {
  const Told all = told(3, comm::Deadline(.2), [](const comm::Threads& threads) {
    threads.barrier();
    if (threads.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(600));
    std::uint64_t words[5]{};
    threads.agree(words);
  });
  for (const int rank : {0, 2}) {
    CAPTURE(all.messages[std::size_t(rank)]);
    CHECK(contains(all.messages[std::size_t(rank)], "agree of 5 words (operation 2) waited"));
    CHECK(contains(all.messages[std::size_t(rank)], "missing: rank 1,"));
    CHECK(all.blamed[std::size_t(rank)] == std::vector{1});
  }
  CHECK(contains(all.messages[1],
                 "began beyond the deadline of the others"));  // it must not go on alone
  CHECK(all.seconds < .2 + 1);
}

TEST_CASE("a rank that calls something else is named, and what it called") {
  const Told all = told(3, comm::Deadline(20), [](const comm::Threads& threads) {
    Reference::Machine machine{{}};
    std::vector<float> span(7);
    if (threads.rank() == 2)
      threads.broadcast(machine, span.data(), span.size(), 1);
    else
      threads.all_reduce_sum(machine, span.data(), span.size());
  });
  for (const int rank : {0, 1}) {
    CAPTURE(all.messages[std::size_t(rank)]);
    CHECK(contains(all.messages[std::size_t(rank)],
                   "all_reduce_sum of 7 floats (operation 1): rank 2 called broadcast of 7 floats "
                   "from rank 1 (operation 1)"));
    CHECK(all.blamed[std::size_t(rank)] == std::vector{2});
  }
  CHECK(contains(all.messages[2], "rank 0 called all_reduce_sum of 7 floats (operation 1)"));
  CHECK(all.seconds < 1);
}

TEST_CASE("a rank with another size or another run is named") {
  const Told sizes = told(2, comm::Deadline(20), [](const comm::Threads& threads) {
    std::vector<std::uint64_t> words(std::size_t(4 + threads.rank()));
    threads.agree(words);
  });
  CHECK(contains(sizes.messages[0], "rank 1 called agree of 5 words (operation 1)"));
  CHECK(contains(sizes.messages[1], "rank 0 called agree of 4 words (operation 1)"));
  const Told runs = told(2, comm::Deadline(20), [](const comm::Threads& threads) {
    threads.introduce(std::uint64_t(threads.rank()));
    threads.barrier();
  });
  CHECK(contains(runs.messages[0], "rank 1 runs another program or other settings"));
  CHECK(contains(runs.messages[1], "rank 0 runs another program or other settings"));
}

TEST_CASE("an error of one rank reaches the others at once and is thrown on") {
  std::string told_to_0;
  const auto failing = [&] {
    comm::Threads::run(2, [&](const comm::Threads& threads) {
      if (threads.rank() == 1) throw std::runtime_error("no luck");
      try {
        threads.barrier();
      } catch (const CommError& error) {
        told_to_0 = error.what();
        CHECK(error.kind == CommError::Kind::gave_up);
        CHECK_THROWS_WITH_AS(threads.check(), error.what(), CommError);
        CHECK_THROWS_WITH_AS(threads.barrier(), error.what(), CommError);
        throw;
      }
    });
  };
  CHECK_THROWS_WITH(failing(), "no luck");
  CHECK(told_to_0 == "polyq: rank 0: barrier (operation 1): rank 1 gave up: no luck");
}

TEST_CASE("a rank that ends early is missed at once") {
  const Told all = told(2, comm::Deadline(20), [](const comm::Threads& threads) {
    if (threads.rank() == 0) threads.barrier();
  });
  CHECK(contains(all.messages[0], "rank 1 gave up: its thread has ended"));
  CHECK(all.seconds < 1);
}

TEST_CASE("numbers of ranks and deadlines out of range are refused") {
  const auto nothing = [](const comm::Threads&) {};
  CHECK_THROWS_WITH_AS(comm::Threads::run(0, nothing), "polyq: ranks = 0; allowed: [1, 1024]",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(comm::Threads::run(2, nothing, comm::Deadline(0)),
                       "polyq: deadline in seconds = 0; allowed: (0, 1e9]", polyq::SettingsError);
}
