// SPDX-License-Identifier: MIT
// Transport: numbers its calls, moves nothing for one rank, refuses all calls behind a failed one.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/comm/transport.hpp>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace polyq::comm;
using polyq::CommError;

/// Notes what it is asked for; fails at the call of a given number.
class Noting final : public Transport {
 public:
  explicit Noting(int size, std::uint64_t fails_at = 0, Deadline deadline = default_deadline)
      : Transport(0, size, deadline), fails_at_(fails_at) {}
  std::vector<Call> calls;
  std::vector<Standing> given_up;

 protected:
  void sum(const Call& call, std::span<float>) override { note(call); }
  void gather(const Call& call, std::span<const float>, std::span<float>) override { note(call); }
  void copy(const Call& call, std::span<float>) override { note(call); }
  void maximum(const Call& call, std::span<std::uint64_t>) override { note(call); }
  void give_up(const Standing& standing) noexcept override { given_up.push_back(standing); }

 private:
  void note(const Call& call) {
    calls.push_back(call);
    if (call.number == fails_at_) throw CommError(CommError::Kind::lost, "lost", {1});
  }
  std::uint64_t fails_at_;
};

}  // namespace

TEST_CASE("calls are numbered and carry operation, root, size and run") {
  Noting transport(2);
  float floats[6]{};
  std::uint64_t words[3]{};
  transport.introduce(9);
  transport.all_reduce_sum(floats);
  transport.all_gather(std::span<const float>(floats, 3), floats);
  transport.broadcast(floats, 1);
  transport.agree(words);
  transport.barrier();
  CHECK(transport.calls == std::vector<Call>{{1, Operation::all_reduce_sum, 0, 6, 9},
                                             {2, Operation::all_gather, 0, 3, 9},
                                             {3, Operation::broadcast, 1, 6, 9},
                                             {4, Operation::agree, 0, 3, 9},
                                             {5, Operation::barrier, 0, 0, 9}});
}

TEST_CASE("one rank moves nothing but its gathered part") {
  Noting transport(1);
  float floats[2]{};
  transport.all_reduce_sum(floats);
  transport.broadcast(floats, 0);
  transport.barrier();
  CHECK(transport.calls.empty());
  transport.all_gather(std::span<const float>(floats, 2), floats);
  CHECK(transport.calls.size() == 1);
}

TEST_CASE("behind a failed call every call throws what it threw") {
  Noting transport(2, 2);
  transport.barrier();
  CHECK_NOTHROW(transport.check());
  CHECK_THROWS_WITH_AS(transport.barrier(), "lost", CommError);
  CHECK_THROWS_WITH_AS(transport.barrier(), "lost", CommError);
  CHECK_THROWS_WITH_AS(transport.check(), "lost", CommError);
  transport.abort("later");
  CHECK(transport.given_up.empty());  // the failure has told the others
  CHECK(transport.calls.size() == 2);
}

TEST_CASE("abort tells the others, once, and closes this rank's own way") {
  Noting transport(2);
  transport.barrier();
  transport.abort("no luck");
  transport.abort("again");
  REQUIRE(transport.given_up.size() == 1);
  CHECK(transport.given_up[0].reason == "no luck");
  CHECK(transport.given_up[0].call == transport.calls[0]);
  CHECK_THROWS_WITH_AS(transport.barrier(), "polyq: rank 0 gave up: no luck", CommError);
}

TEST_CASE("a root that is no rank and a deadline of nothing are refused") {
  Noting transport(2);
  CHECK_THROWS_WITH_AS(transport.broadcast({}, 2),
                       "polyq: root of a broadcast = 2; allowed: [0, 2)", polyq::SettingsError);
  CHECK_THROWS_WITH_AS(Noting(2, 0, Deadline(-1)),
                       "polyq: deadline in seconds = -1; allowed: (0, 1e9]", polyq::SettingsError);
}
