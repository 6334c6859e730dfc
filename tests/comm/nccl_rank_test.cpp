// SPDX-License-Identifier: MIT
// NcclRank: every way through its states, on scripted answers: calls in progress, refused, broken
// or without end, devices that fail, recordings that live on, and what all later calls say.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <polyq/comm/nccl_rank.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "comm/fake_nccl.hpp"

namespace {

using polyq::CommError;
using polyq::DeviceError;
using polyq::comm::Deadline;
using test::FakeNccl;
using Rank = polyq::comm::NcclRank<FakeNccl>;
using Result = FakeNccl::Result;
using Calls = std::vector<std::string>;

/// A script of a rank whose partners are pretended; nothing is left behind it.
struct Scripted {
  Scripted() {
    script() = {};
    script().alone = true;
  }
  ~Scripted() {
    CHECK(FakeNccl::all_end());
    script() = {};
  }
  FakeNccl::Script& script() { return FakeNccl::script(); }
  int aborts() { return *script().aborts; }
  /// Once no communicator lives.
  Calls since_begin() {
    CHECK(FakeNccl::all_end());
    Calls calls(script().calls.begin() + 3, script().calls.end());  // open_device, make_id, begin
    calls.insert(calls.end(), std::size_t(aborts()), "abort");
    return calls;
  }
};

constexpr Deadline soon{.05};

/// Rank 1 of 2 on device 3.
struct Connected : Rank {
  explicit Connected(Deadline deadline = soon) : Rank(1, 2, 3, deadline) { connect(make_id()); }
};

/// Keeps what is enqueued, as a graph does.
struct Recording {
  std::vector<test::FakeStream::Work> works;
  const test::FakeStream stream{[this](const auto& work) { works.push_back(work); }};
};

template <class F>
std::optional<CommError> told(F f) {
  try {
    f();
  } catch (const CommError& error) {
    return error;
  }
  return {};
}
template <class F>
std::string message_of(F f) {
  const std::optional<CommError> error = told(f);
  return error ? error->what() : "nothing was thrown";
}

/// Seconds that a message says a wait took.
double waited_in(const std::string& message) {
  const std::string before = " waited ";
  const std::size_t at = message.find(before);
  return at == std::string::npos ? 0 : std::stod(message.substr(at + before.size()));
}

/// Every call throws what was thrown first, and NCCL hears nothing more.
void check_closed(Rank& rank, const std::string& message) {
  float floats[2]{};
  std::uint64_t word = 0;
  const test::FakeStream stream;
  const std::size_t heard = FakeNccl::script().calls.size();
  CHECK(message_of([&] { rank.check(); }) == message);
  CHECK(message_of([&] { rank.all_reduce_sum(floats, 1, &stream); }) == message);
  CHECK(message_of([&] { rank.all_gather(floats, floats, 1, &stream); }) == message);
  CHECK(message_of([&] { rank.broadcast(floats, 1, 0, &stream); }) == message);
  CHECK(message_of([&] { rank.agree({&word, 1}); }) == message);
  CHECK(message_of([&] { rank.barrier(); }) == message);
  CHECK(message_of([&] { rank.finish(&stream); }) == message);
  rank.abort("later");
  CHECK(message_of([&] { rank.check(); }) == message);
  CHECK(FakeNccl::script().calls.size() == heard);
}

}  // namespace

TEST_CASE("a communicator is made by an id, and closed by its last owner") {
  Scripted scripted;
  {
    const Connected rank;
    CHECK(rank.rank() == 1);
    CHECK(rank.size() == 2);
    CHECK(rank.local_rank() == 3);
    CHECK(scripted.script().calls == Calls{"open_device 3", "make_id", "begin 2 as 1"});
  }
  CHECK(scripted.since_begin() == Calls{"finalize", "destroy"});
}

TEST_CASE("calls in progress are polled to their end") {
  for (const int polls : {0, 1, 7, 2'500}) {  // also where the polls begin to sleep
    CAPTURE(polls);
    Scripted scripted;
    scripted.script().polls = polls;
    {
      Connected rank(Deadline(60));
      float floats[2]{};
      const test::FakeStream stream;
      rank.all_reduce_sum(floats, 1, &stream);
      rank.all_gather(floats, floats, 1, &stream);
      rank.broadcast(floats, 1, 0, &stream);
      rank.finish(&stream);
      rank.check();
    }
    CHECK(scripted.since_begin() ==
          Calls{"all_reduce_sum", "all_gather", "broadcast", "finalize", "destroy"});
  }
}

TEST_CASE("settings that cannot be are refused before any call") {
  Scripted scripted;
  const auto refusal = [](int rank, int size, Deadline deadline) -> std::string {
    try {
      Rank(rank, size, 0, deadline);
    } catch (const polyq::SettingsError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  CHECK(refusal(0, 0, soon) == "polyq: number of ranks = 0; allowed: >= 1");
  CHECK(refusal(3, 2, soon) == "polyq: rank = 3; allowed: [0, 2)");
  CHECK(refusal(-1, 2, soon) == "polyq: rank = -1; allowed: [0, 2)");
  CHECK(refusal(0, 1, Deadline(0)) == "polyq: deadline in seconds = 0; allowed: (0, 1e9]");
  CHECK(refusal(0, 1, Deadline(2e9)) == "polyq: deadline in seconds = 2e+09; allowed: (0, 1e9]");
  CHECK(scripted.script().calls.empty());
  Connected rank;
  CHECK_THROWS_WITH_AS(rank.broadcast(nullptr, 0, 2, nullptr),
                       "polyq: root of a broadcast = 2; allowed: [0, 2)", polyq::SettingsError);
}

TEST_CASE("a communicator that cannot be made says why") {
  Scripted scripted;
  scripted.script().last_error = "no luck on node 7";
  SUBCASE("no device") {
    scripted.script().refused = "open_device";
    CHECK_THROWS_WITH_AS(Connected(), "no such device", DeviceError);
  }
  SUBCASE("no id") {
    scripted.script().refused = "make_id";
    CHECK(message_of([] { Connected(); }) ==
          "polyq: rank 1: making the communicator of size 2: fakeRemote, a rank is gone; NCCL does "
          "not say which rank is missing; NCCL's last error: no luck on node 7");
  }
  SUBCASE("refused at once") {
    scripted.script().refused = "begin";
    scripted.script().answer = Result::own;
    const auto error = told([] { Connected(); });
    REQUIRE(error);
    CHECK(
        std::string(error->what()) ==
        "polyq: rank 1: making the communicator of size 2: fakeOwn, a wrong argument; NCCL's last "
        "error: no luck on node 7");
    CHECK(error->kind == CommError::Kind::gave_up);
    CHECK(error->ranks == std::vector{1});
    CHECK(scripted.since_begin().empty());  // there was nothing to abort
  }
  SUBCASE("refused while in progress") {
    scripted.script().polls = 2;
    scripted.script().broken = "begin";
    const auto error = told([] { Connected(); });
    REQUIRE(error);
    CHECK(error->kind == CommError::Kind::lost);
    CHECK(error->ranks.empty());
    CHECK(scripted.since_begin() == Calls{"abort"});
  }
  SUBCASE("never done") {
    scripted.script().hanging = "begin";
    scripted.script().last_error = "";
    const std::string message = message_of([] { Connected(); });
    CAPTURE(message);
    CHECK(message.find("polyq: rank 1: making the communicator of size 2 waited 0.") == 0);
    CHECK(waited_in(message) >= soon.count());
    CHECK(message.ends_with(" s; NCCL does not say which rank is missing"));
    CHECK(scripted.since_begin() == Calls{"abort"});
  }
  SUBCASE("no memory for its block") {
    scripted.script().block_fault = "cannot allocate";
    CHECK_THROWS_WITH_AS(Connected(), "cannot allocate", DeviceError);
    CHECK(scripted.since_begin() == Calls{"abort"});
  }
}

TEST_CASE("a refused call names itself, aborts once, and closes all later ones") {
  Scripted scripted;
  scripted.script().last_error = "socket closed";
  SUBCASE("at once") { scripted.script().refused = "all_reduce_sum"; }
  SUBCASE("behind its back") { scripted.script().broken = "all_reduce_sum"; }
  std::string message;
  {
    Connected rank;
    const test::FakeStream stream;
    rank.all_gather(nullptr, nullptr, 0, &stream);
    message = message_of([&] { rank.all_reduce_sum(nullptr, 4'610, &stream); });
    CHECK(message ==
          "polyq: rank 1: all_reduce_sum of 4610 floats (operation 2): fakeRemote, a rank is gone; "
          "NCCL does not say which rank is missing; NCCL's last error: socket closed");
    check_closed(rank, message);
  }
  CHECK(scripted.since_begin() == Calls{"all_gather", "all_reduce_sum", "abort"});
}

TEST_CASE("a call that is never taken ends at the deadline") {
  Scripted scripted;
  scripted.script().hanging = "broadcast";
  Connected rank;
  const test::FakeStream stream;
  const std::string message = message_of([&] { rank.broadcast(nullptr, 5, 0, &stream); });
  CAPTURE(message);
  CHECK(message.find("polyq: rank 1: broadcast of 5 floats from rank 0 (operation 1) waited 0.") ==
        0);
  CHECK(waited_in(message) >= soon.count());
  check_closed(rank, message);
}

TEST_CASE("a wait for the device ends at the deadline") {
  Scripted scripted;
  Connected rank;
  const test::FakeStream stream;
  SUBCASE("for the machine's stream") {
    rank.all_reduce_sum(nullptr, 7, &stream);
    scripted.script().hanging = "event";
    const auto error = told([&] { rank.finish(&stream); });
    REQUIRE(error);
    CAPTURE(error->what());
    CHECK(error->kind == CommError::Kind::lost);
    CHECK(error->ranks.empty());
    CHECK(std::string(error->what())
              .find("polyq: rank 1: synchronize behind all_reduce_sum of 7 floats (operation 1) "
                    "waited 0.") == 0);
    CHECK(waited_in(error->what()) >= soon.count());
    check_closed(rank, error->what());
    CHECK(scripted.since_begin() == Calls{"all_reduce_sum", "abort"});
  }
  SUBCASE("for agreement") {
    scripted.script().hanging = "event";
    const std::string message = message_of([&] { rank.barrier(); });
    CAPTURE(message);
    CHECK(message.find("polyq: rank 1: barrier (operation 1) waited 0.") == 0);
    CHECK(waited_in(message) >= soon.count());
    check_closed(rank, message);
  }
}

TEST_CASE("an error that comes while the device works is met by the wait") {
  Scripted scripted;
  Connected rank;
  const test::FakeStream stream;
  rank.all_reduce_sum(nullptr, 7, &stream);
  scripted.script().broken = "event";
  SUBCASE("where the stream never ends") { scripted.script().hanging = "event"; }
  SUBCASE("even where it seems to have ended") {}
  const std::string message = message_of([&] { rank.finish(&stream); });
  CHECK(message ==
        "polyq: rank 1: synchronize behind all_reduce_sum of 7 floats (operation 1): fakeRemote, a "
        "rank is gone; NCCL does not say which rank is missing");
  check_closed(rank, message);
}

TEST_CASE("a device that fails is thrown as it is, and the rank gives up") {
  Scripted scripted;
  std::optional<Connected> rank(soon);
  const test::FakeStream stream;
  std::uint64_t word = 0;
  SUBCASE("in a wait") {
    scripted.script().device_fault = "illegal address";
    CHECK_THROWS_WITH_AS(rank->finish(&stream), "illegal address", DeviceError);
  }
  SUBCASE("in an agreement") {
    scripted.script().block_fault = "illegal address";
    CHECK_THROWS_WITH_AS(rank->agree({&word, 1}), "illegal address", DeviceError);
  }
  scripted.script().device_fault = scripted.script().block_fault = "";
  check_closed(*rank, "polyq: rank 1 gave up: illegal address");
  const auto error = told([&] { rank->check(); });
  REQUIRE(error);
  CHECK(error->kind == CommError::Kind::gave_up);
  CHECK(error->ranks == std::vector{1});
  rank.reset();
  CHECK(scripted.since_begin() == Calls{"abort"});
}

TEST_CASE("giving up aborts, and closes this rank's own way") {
  Scripted scripted;
  {
    Connected rank;
    rank.abort("no luck");
    rank.abort("again");
    check_closed(rank, "polyq: rank 1 gave up: no luck");
  }
  CHECK(scripted.since_begin() == Calls{"abort"});
}

TEST_CASE("a close that finds no end aborts") {
  Scripted scripted;
  SUBCASE("at the deadline") { scripted.script().hanging = "finalize"; }
  SUBCASE("refused") { scripted.script().refused = "finalize"; }
  SUBCASE("broken") { scripted.script().broken = "finalize"; }
  { const Connected rank; }
  CHECK(scripted.since_begin() == Calls{"finalize", "abort"});
}

TEST_CASE("a failure while a recording lives is thrown at once, and unwinding ends the abort") {
  Scripted scripted;
  scripted.script().refused = "broadcast";
  const std::string refused =
      "polyq: rank 1: broadcast of 5 floats from rank 0 (operation 2): fakeRemote, a rank is gone; "
      "NCCL does not say which rank is missing";
  SUBCASE("of the handle too") {
    CHECK(message_of([] {
            Connected rank(Deadline(60));
            Recording recording;
            rank.all_reduce_sum(nullptr, 7, &recording.stream);
            rank.broadcast(nullptr, 5, 0, &recording.stream);
          }) == refused);
    CHECK(FakeNccl::alive == 0);
  }
  SUBCASE("while the handle lives") {
    Connected rank(Deadline(60));
    CHECK(message_of([&] {
            Recording recording;
            rank.all_reduce_sum(nullptr, 7, &recording.stream);
            CHECK(message_of([&] { rank.broadcast(nullptr, 5, 0, &recording.stream); }) == refused);
            check_closed(rank, refused);
            CHECK(FakeNccl::comes([&] { return scripted.aborts() == 1; }));
            CHECK(FakeNccl::alive == 1);
            rank.check();
          }) == refused);
    CHECK(FakeNccl::all_end());
  }
  CHECK(scripted.since_begin() == Calls{"all_reduce_sum", "broadcast", "abort"});
}

TEST_CASE("a close waits until the recordings have ended, behind an abort too") {
  Scripted scripted;
  std::string end = "destroy";
  std::optional<Connected> rank(Deadline(60));
  std::optional<Recording> recording(std::in_place);
  rank->all_reduce_sum(nullptr, 7, &recording->stream);
  SUBCASE("without a failure") {}
  SUBCASE("behind one") {
    rank->abort("no luck");
    end = "abort";
  }
  std::thread ending([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    recording.reset();
  });
  rank.reset();
  CHECK(FakeNccl::alive == 0);
  ending.join();
  const Calls calls = scripted.since_begin();
  CHECK(calls.front() == "all_reduce_sum");
  CHECK(calls.back() == end);
}

TEST_CASE("a close waits no longer than it may for a recording that outlives it") {
  Scripted scripted;
  Recording recording;
  Calls expected{"all_reduce_sum", "abort"};
  {
    Connected rank;
    rank.all_reduce_sum(nullptr, 7, &recording.stream);
    SUBCASE("behind a failure") { rank.abort("no luck"); }
    SUBCASE("without one") { expected.insert(expected.begin() + 1, "finalize"); }
  }
  CHECK(FakeNccl::alive == 1);
  recording.works.clear();
  CHECK(scripted.since_begin() == expected);
}

TEST_CASE("an exception that ends the handle aborts, since NCCL would not tell the others") {
  Scripted scripted;
  SUBCASE("the handle's own") {
    try {
      const Connected rank(Deadline(60));
      throw std::runtime_error("of the user");
    } catch (const std::runtime_error&) {
    }
    CHECK(FakeNccl::alive == 0);
    CHECK(scripted.since_begin() == Calls{"abort"});
  }
  SUBCASE("not one in whose unwinding it lives") {
    struct Last {
      ~Last() { const Connected rank; }
    };
    try {
      const Last last;
      throw std::runtime_error("of the user");
    } catch (const std::runtime_error&) {
    }
    CHECK(scripted.since_begin() == Calls{"finalize", "destroy"});
  }
}

TEST_CASE("one rank moves by NCCL and agrees with itself") {
  Scripted scripted;
  {
    Rank rank(0, 1, 0, soon);
    rank.connect(rank.make_id());
    const test::FakeStream stream;
    std::uint64_t word = 9;
    rank.all_reduce_sum(nullptr, 3, &stream);
    rank.agree({&word, 1});
    rank.barrier();
    CHECK(word == 9);
  }
  CHECK(scripted.since_begin() == Calls{"all_reduce_sum", "finalize", "destroy"});
}
