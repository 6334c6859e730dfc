// SPDX-License-Identifier: MIT
// NcclOf: the contract for 1 to 4 ranks over a fake NCCL, the ways in which ranks meet, and what
// each rank is told when another differs, gives up or fails on its device.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <map>
#include <optional>
#include <polyq/comm/nccl_of.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "comm/contract.hpp"
#include "comm/fake_nccl.hpp"

namespace {

namespace comm = polyq::comm;
using polyq::CommError;
using test::FakeGpu;
using test::FakeNccl;
using Ranks = comm::NcclOf<FakeNccl>;
using Calls = std::vector<std::string>;

static_assert(comm::Communicator<Ranks> && comm::CommunicatorOn<Ranks, FakeGpu::Machine>);
static_assert(Ranks::reaches(polyq::backend::Memory::device));
static_assert(!Ranks::reaches(polyq::backend::Memory::host));

/// Variables as given, and those of before at the end.
class Environment {
 public:
  /// Without a value: absent.
  Environment(std::initializer_list<std::pair<const char*, const char*>> values) {
    for (const auto& [name, value] : values) {
      const char* now = std::getenv(name);
      before_[name] = now ? std::optional<std::string>(now) : std::nullopt;
      set(name, value ? std::optional<std::string>(value) : std::nullopt);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_) set(name, value);
  }

 private:
  static void set(const std::string& name, const std::optional<std::string>& value) {
    value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
  }
  std::map<std::string, std::optional<std::string>> before_;
};

/// The calls of a rank whose partners are pretended.
template <class F>
Calls calls_of(F f) {
  FakeNccl::script() = {};
  FakeNccl::script().alone = true;
  f();
  return std::exchange(FakeNccl::script(), {}).calls;
}

/// What each of `ranks` ranks threw; empty where f returned.
template <class F>
std::vector<std::string> told(int ranks, F f) {
  std::vector<std::string> messages(static_cast<std::size_t>(ranks));
  comm::Threads::run(ranks, [&](const comm::Threads& threads) {
    try {
      FakeGpu::Machine machine;
      const Ranks nccl = Ranks::over(threads, threads.rank(), comm::Deadline(20));
      f(nccl, machine);
    } catch (const std::exception& error) {
      messages[std::size_t(threads.rank())] = error.what();
    }
    FakeNccl::script() = {};  // of the caller's thread
  });
  CHECK(FakeNccl::all_end());
  CHECK(FakeNccl::undefined == 0);
  return messages;
}

}  // namespace

TEST_CASE("the contract holds for 1 to 4 ranks") {
  for (int ranks = 1; ranks <= 4; ++ranks)
    for (const int polls : {0, 3}) {
      CAPTURE(ranks);
      CAPTURE(polls);
      const auto messages = told(ranks, [&](const Ranks& nccl, FakeGpu::Machine& machine) {
        FakeNccl::script().polls = polls;
        CHECK(nccl.local_rank() == nccl.rank());
        test::check_contract(nccl, machine);
      });
      CHECK(messages == std::vector<std::string>(std::size_t(ranks)));
    }
}

TEST_CASE("the launcher's variables say who and where: NCCL finds the id by its own variable") {
  const Environment variables{{"RANK", "1"},
                              {"WORLD_SIZE", "4"},
                              {"LOCAL_RANK", "3"},
                              {"MASTER_ADDR", "node1"},
                              {"MASTER_PORT", "4711"},
                              {"NCCL_COMM_ID", nullptr},
                              {"TORCHELASTIC_USE_AGENT_STORE", nullptr}};
  CHECK(calls_of([] {
          const Ranks ranks = Ranks::from_environment();
          CHECK(ranks.rank() == 1);
          CHECK(ranks.size() == 4);
          CHECK(ranks.local_rank() == 3);
          CHECK(std::getenv("NCCL_COMM_ID") == nullptr);  // as it was
        }) ==
        Calls{"open_device 3", "make_id at node1:4711", "begin 4 as 1", "finalize", "destroy"});
}

TEST_CASE("a launch says who and where") {
  const Environment variables{{"NCCL_COMM_ID", nullptr}, {"TORCHELASTIC_USE_AGENT_STORE", nullptr}};
  const comm::Launch two{.rank = 1, .size = 2, .local_rank = 0, .address = "10.0.0.7", .port = 9};
  const auto made = [](const comm::Launch& launch) {
    return calls_of([&] { const Ranks ranks = Ranks::from(launch); })[1];
  };
  CHECK(made(two) == "make_id at 10.0.0.7:9");
  comm::Launch six = two;
  six.address = "fe80::7";
  CHECK(made(six) == "make_id at [fe80::7]:9");
  CHECK(made({}) == "make_id");  // one rank meets nobody
  const Environment own{{"NCCL_COMM_ID", "node9:1"}};
  CHECK(made(two) == "make_id at node9:1");
  CHECK(std::getenv("NCCL_COMM_ID") == std::string("node9:1"));
}

TEST_CASE("where torchrun listens on its port itself, ranks meet beside it") {
  const Environment variables{{"NCCL_COMM_ID", nullptr}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
  const auto made_at = [](int port) {
    const comm::Launch launch{.rank = 0, .size = 2, .address = "node1", .port = port};
    return calls_of([&] { const Ranks ranks = Ranks::from(launch); })[1];
  };
  CHECK(made_at(29'500) == "make_id at node1:29501");
  CHECK(made_at(65'535) == "make_id at node1:65534");
  const Environment of_its_own{{"TORCHELASTIC_USE_AGENT_STORE", "False"}};
  CHECK(made_at(29'500) == "make_id at node1:29500");
}

TEST_CASE("ranks without an address, and a launch that contradicts itself, are refused") {
  const Environment variables{{"NCCL_COMM_ID", nullptr}};
  CHECK(calls_of([] {
          CHECK_THROWS_WITH_AS(
              Ranks::from({.rank = 1, .size = 2, .source = "Open MPI"}),
              "polyq: MASTER_ADDR is absent, and 2 ranks (by Open MPI) must meet; allowed: the "
              "host of rank 0 as every rank reaches it",
              polyq::SettingsError);
          CHECK_THROWS_WITH_AS(Ranks::from({.rank = 2, .size = 2, .address = "node1"}),
                               "polyq: rank = 2; allowed: [0, 2)", polyq::SettingsError);
        }).empty());
  CHECK(std::getenv("NCCL_COMM_ID") == nullptr);
}

TEST_CASE("another communicator brings the id of rank 0 to all") {
  comm::Threads::run(3, [](const comm::Threads& threads) {
    const Calls calls = calls_of([&] { const Ranks ranks = Ranks::over(threads, 5); });
    Calls expected = {"open_device 5", "begin 3 as " + std::to_string(threads.rank()), "finalize",
                      "destroy"};
    if (threads.rank() == 0) expected.insert(expected.begin() + 1, "make_id");
    CHECK(calls == expected);
  });
}

TEST_CASE("the last copy closes the communicator") {
  CHECK(calls_of([] {
          std::optional<Ranks> first(Ranks::from({}));
          const std::optional<Ranks> second(first);
          first.reset();
          CHECK(FakeNccl::alive == 1);
        }) == Calls{"open_device 0", "make_id", "begin 1 as 0", "finalize", "destroy"});
  CHECK(FakeNccl::alive == 0);
}

TEST_CASE("a rank that runs something else is named by all others, and names another") {
  const auto messages = told(3, [](const Ranks& nccl, FakeGpu::Machine&) {
    nccl.introduce(nccl.rank() == 2 ? 8 : 7);
    std::uint64_t words[2]{};
    nccl.agree(words);
  });
  for (const int rank : {0, 1})
    CHECK(messages[std::size_t(rank)] ==
          "polyq: rank " + std::to_string(rank) +
              ": agree of 2 words (operation 1): rank 2 runs another program or other settings; "
              "start every rank from the same build with the same flags");
  CHECK(messages[2].find("rank 0 runs another program") != std::string::npos);
}

TEST_CASE("a rank that agrees on something else is named") {
  const auto messages = told(2, [](const Ranks& nccl, FakeGpu::Machine&) {
    std::vector<std::uint64_t> words(std::size_t(3 + 100 * nccl.rank()));
    if (nccl.rank() == 1) nccl.agree(words);
    if (nccl.rank() == 0) nccl.barrier();
  });
  CHECK(messages[0] ==
        "polyq: rank 0: barrier (operation 1): rank 1 called agree of 103 words (operation 1); "
        "every rank must call the same operations in the same order with the same sizes");
  CHECK(messages[1].find("rank 0 called barrier (operation 1)") != std::string::npos);
}

TEST_CASE("many words are agreed on in two calls, whatever was agreed on before") {
  const auto messages = told(2, [](const Ranks& nccl, FakeGpu::Machine&) {
    for (const std::size_t n : {64, 65, 5'000, 300}) {
      CAPTURE(n);
      std::vector<std::uint64_t> words(n), expected(n);
      for (std::size_t i = 0; i < n; ++i) {
        words[i] = (i + std::size_t(nccl.rank())) % 2 * (n + i);
        expected[i] = n + i;
      }
      FakeNccl::script().calls.clear();
      nccl.agree(words);
      CHECK(words == expected);
      CHECK(FakeNccl::script().calls == Calls(n > 64 ? 2 : 1, "maximum"));
    }
  });
  CHECK(messages == std::vector<std::string>(2));
}

TEST_CASE("a rank that gives up fails the others' calls") {
  const auto messages = told(3, [](const Ranks& nccl, FakeGpu::Machine& machine) {
    if (nccl.rank() == 1) {
      nccl.abort("no luck");
      nccl.barrier();
    }
    std::vector<float> span(5);
    nccl.all_reduce_sum(machine, span.data(), span.size());
    nccl.synchronize(machine);
  });
  CHECK(messages[1] == "polyq: rank 1 gave up: no luck");
  for (const int rank : {0, 2})
    CHECK(messages[std::size_t(rank)] ==
          "polyq: rank " + std::to_string(rank) +
              ": all_reduce_sum of 5 floats (operation 1): fakeRemote, a rank is gone; NCCL does "
              "not say which rank is missing");
}

namespace {

/// Seconds since it was made.
struct Stopwatch {
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
};
constexpr double far_below_the_deadline = 15;  // of 20 s, for machines that are busy

/// What three ranks threw; rank 1 calls f between two calls of its recording.
template <class F>
std::vector<std::string> told_by_recordings(F f) {
  const Stopwatch watch;
  const auto messages = told(3, [&](const Ranks& nccl, FakeGpu::Machine& machine) {
    std::vector<float> span(5);
    using Sum = test::RecordedSum<Ranks, FakeGpu::Machine>;
    auto recorded = machine.record(Sum{nccl, &machine, span.data(), span.size()});
    for (int call = 0; call < 3; ++call) recorded();
    if (nccl.rank() == 1) f(nccl);
    nccl.check();
    recorded();
    nccl.synchronize(machine);
  });
  CHECK(watch.seconds() < far_below_the_deadline);
  for (const int rank : {0, 2})
    CHECK(messages[std::size_t(rank)] ==
          "polyq: rank " + std::to_string(rank) +
              ": synchronize behind all_reduce_sum of 5 floats (operation 2): fakeRemote, a rank "
              "is gone; NCCL does not say which rank is missing");
  return messages;
}

}  // namespace

TEST_CASE("recordings of a communicator do not keep its failure from being told") {
  const auto messages = told_by_recordings([](const Ranks& nccl) { nccl.abort("no luck"); });
  CHECK(messages[1] == "polyq: rank 1 gave up: no luck");
}

TEST_CASE("an exception of a rank that NCCL does not know of fails the others' calls") {
  const auto messages =
      told_by_recordings([](const Ranks&) { throw std::runtime_error("of the user"); });
  CHECK(messages[1] == "of the user");
}

TEST_CASE("an error on a device is told in the machine's words") {
  calls_of([] {
    FakeGpu::Machine machine;
    const Ranks ranks = Ranks::from({});
    FakeNccl::script().device_fault = "the query's words";
    CHECK_THROWS_WITH_AS(ranks.synchronize(machine), "the query's words", polyq::DeviceError);
    FakeNccl::script().device_fault = "";
    CHECK_THROWS_WITH_AS(ranks.check(), "polyq: rank 0 gave up: the query's words", CommError);
  });
  calls_of([] {
    FakeGpu::Machine machine;
    const Ranks ranks = Ranks::from({});
    FakeNccl::script().device_fault = "the query's words";
    machine.fault = "the machine's words";
    CHECK_THROWS_WITH_AS(ranks.synchronize(machine), "the machine's words", polyq::DeviceError);
  });
}

namespace {
struct Waiting {
  Ranks ranks;
  FakeGpu::Machine* machine;
  void operator()() const { ranks.synchronize(*machine); }
};
}  // namespace

TEST_CASE("a wait inside a recording is refused, and the communicator lives on") {
  calls_of([] {
    FakeGpu::Machine machine;
    const Ranks ranks = Ranks::from({});
    auto recorded = machine.record(Waiting{ranks, &machine});
    CHECK_THROWS_WITH_AS(recorded(), "polyq: synchronize inside a recording; do it before or after",
                         polyq::DeviceError);
    ranks.check();
    ranks.synchronize(machine);
  });
}
