// SPDX-License-Identifier: MIT
// RollCall: whom every rank blames, by what the ranks told each other.
#include <doctest/doctest.h>

#include <optional>
#include <polyq/comm/roll_call.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace polyq::comm;
using polyq::CommError;
using Notice = RollCall::Notice;
using Cause = RollCall::Cause;

constexpr Call call{17, Operation::all_reduce_sum, 0, 4'610, 3};
constexpr Call next{18, Operation::barrier, 0, 0, 3};
constexpr Call other{17, Operation::barrier, 0, 0, 3};

Notice in(const Call& of, double waited = 5, Cause cause = Cause::failure,
          const std::string& reason = "") {
  return RollCall::notice_of({of, reason}, waited, cause);
}
/// The verdict of each rank that has a notice of its own.
std::vector<CommError> verdicts(const std::vector<std::optional<Notice>>& notices) {
  std::vector<CommError> all;
  for (int rank = 0; rank < int(notices.size()); ++rank) {
    if (!notices[rank]) continue;
    RollCall roll(rank, int(notices.size()));
    for (int r = 0; r < int(notices.size()); ++r)
      if (r != rank && notices[r]) roll.hear(r, *notices[r]);
    all.push_back(roll.verdict(*notices[rank], "trouble"));
  }
  return all;
}
void check_blame(const std::vector<std::optional<Notice>>& notices, CommError::Kind kind,
                 int rank) {
  for (const CommError& error : verdicts(notices)) {
    CAPTURE(error.what());
    CHECK(error.kind == kind);
    CHECK(error.ranks == std::vector{rank});
  }
}

}  // namespace

TEST_CASE("a notice is plain bytes and cuts a long reason") {
  static_assert(std::is_trivially_copyable_v<Notice> && sizeof(Notice) == 256);
  RollCall roll(0, 2);
  roll.hear(1, in(call, 0, Cause::failure, std::string(1'000, 'x')));
  const std::string text = roll.verdict(in(call), "").what();
  CHECK(text.find("rank 1 gave up: " + std::string(211, 'x')) != std::string::npos);
  CHECK(text.find(std::string(212, 'x')) == std::string::npos);
}

TEST_CASE("a silent rank is missing, for ranks of this call and of the next alike") {
  check_blame({in(call, 60, Cause::deadline), in(call), in(call), std::nullopt},
              CommError::Kind::lost, 3);
  check_blame({in(next, 60, Cause::deadline), in(call), in(next), std::nullopt},
              CommError::Kind::lost, 3);
}

TEST_CASE("a rank that comes when others have given it up is the missing one, to itself too") {
  check_blame({in(call, 60, Cause::deadline), in(call, 60), in(call, .1), in(call, 59)},
              CommError::Kind::lost, 2);
}

TEST_CASE("a rank that gave up, or closed in front of the call, is to blame") {
  RollCall first(0, 3);
  first.hear(1, in(call, 0, Cause::failure, "no luck"));
  CHECK(first.verdict(in(call), "").ranks == std::vector{1});
  RollCall roll(0, 2);
  roll.hear(1, in(call, 0, Cause::closing, "it closed"));
  CHECK(!roll.concerns(call));
  CHECK(!roll.knows_why(call));
  CHECK(roll.heard_all());
  CHECK(roll.concerns(next));
  CHECK(roll.knows_why(next));
  CHECK(roll.verdict(in(next), "").ranks == std::vector{1});
}

TEST_CASE("a rank that closed in front of another's call is to blame for a rank behind it too") {
  RollCall roll(0, 3);
  roll.hear(1, in(next));
  roll.hear(2, in(call, 0, Cause::closing, "it closed"));
  CHECK(roll.knows_why(call));
  CHECK(roll.verdict(in(call), "").ranks == std::vector{2});
}

TEST_CASE("a rank that closed behind the call has done its part") {
  RollCall roll(0, 3);
  roll.hear(1, in(call, 0, Cause::closing, "it closed"));
  CHECK(roll.verdict(in(call, 60, Cause::deadline), "").ranks == std::vector{2});
}

TEST_CASE("a rank in another call of the same number differs, whoever is missing") {
  for (const CommError& error : verdicts({in(call), in(call), in(other), std::nullopt}))
    CHECK(error.kind == CommError::Kind::differs);
  RollCall roll(0, 3);  // a rank that was met is known by that, wherever it says it is
  roll.meet(2, other);
  roll.hear(1, in(call));
  roll.hear(2, in(call));
  CHECK(roll.verdict(in(call), "").ranks == std::vector{2});
}

TEST_CASE("where only numbers differ, they are the difference") {
  const CommError first = verdicts({in(call), in(call), in(next)})[0];
  CHECK(first.kind == CommError::Kind::differs);
  CHECK(first.ranks == std::vector{2});
}

TEST_CASE("where nobody is to blame, the trouble is told") {
  const std::vector<CommError> all = verdicts({in(call), in(call)});
  CHECK(std::string(all[0].what()) ==
        "polyq: rank 0: all_reduce_sum of 4610 floats (operation 17): trouble");
  CHECK(all[0].kind == CommError::Kind::lost);
}
