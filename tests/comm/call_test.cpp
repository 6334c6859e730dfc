// SPDX-License-Identifier: MIT
// Call: its text, and the order in which failures are explained.
#include <doctest/doctest.h>

#include <optional>
#include <polyq/comm/call.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using polyq::CommError;
using namespace polyq::comm;
using Ranks = std::vector<std::optional<Standing>>;

constexpr Call call{17, Operation::all_reduce_sum, 0, 4'610, 3};

Call with_run(std::uint64_t run) {
  Call other = call;
  other.run = run;
  return other;
}

}  // namespace

TEST_CASE("a call says its operation, its size, its root and its number") {
  static_assert(std::is_trivially_copyable_v<Call> && sizeof(Call) == 32);
  CHECK(text_of(call) == "all_reduce_sum of 4610 floats (operation 17)");
  CHECK(text_of({1, Operation::all_gather, 0, 5, 0}) == "all_gather of 5 floats (operation 1)");
  CHECK(text_of({2, Operation::broadcast, 3, 5, 0}) ==
        "broadcast of 5 floats from rank 3 (operation 2)");
  CHECK(text_of({3, Operation::agree, 0, 8, 0}) == "agree of 8 words (operation 3)");
  CHECK(text_of({4, Operation::barrier, 0, 0, 0}) == "barrier (operation 4)");
}

TEST_CASE("waits are told in milliseconds") {
  CHECK(polyq::comm::text_of_wait(60.00098) == " waited 60.001 s");
  CHECK(polyq::comm::text_of_wait(.2) == " waited 0.2 s");
}

TEST_CASE("missing ranks are named") {
  const CommError one = failure_of(0, call, {{{call, ""}}, std::nullopt, {{call, ""}}}, 60);
  CHECK(one.kind == CommError::Kind::lost);
  CHECK(one.ranks == std::vector{1});
  CHECK(std::string(one.what()) ==
        "polyq: rank 0: all_reduce_sum of 4610 floats (operation 17) waited 60 s; missing: rank 1, "
        "stopped, unreachable or busy for longer than the deadline");
  const CommError two = failure_of(1, call, {std::nullopt, {{call, ""}}, std::nullopt}, 1.5);
  CHECK(two.ranks == std::vector{0, 2});
  CHECK(std::string(two.what()).find("waited 1.5 s; missing: ranks 0, 2,") != std::string::npos);
}

TEST_CASE("a rank that others missed is told so") {
  const CommError error = failure_of(1, call, {{{call, ""}}, std::nullopt, {{call, ""}}}, 0);
  CHECK(error.kind == CommError::Kind::lost);
  CHECK(error.ranks == std::vector{1});
  CHECK(std::string(error.what()) ==
        "polyq: rank 1: all_reduce_sum of 4610 floats (operation 17) began beyond the deadline of "
        "the others; a rank that may be busy for so long needs a longer one");
}

TEST_CASE("a rank that called or runs something else is named before missing ones") {
  const CommError other = failure_of(
      0, call, {{{call, ""}}, std::nullopt, {{{17, Operation::barrier, 0, 0, 3}, ""}}}, 1);
  CHECK(other.kind == CommError::Kind::differs);
  CHECK(other.ranks == std::vector{2});
  CHECK(std::string(other.what()) ==
        "polyq: rank 0: all_reduce_sum of 4610 floats (operation 17): rank 2 called barrier "
        "(operation 17); every rank must call the same operations in the same order with the same "
        "sizes");
  const CommError run = failure_of(0, call, {{{call, ""}}, {{with_run(4), ""}}}, 1);
  CHECK(run.kind == CommError::Kind::differs);
  CHECK(std::string(run.what()) ==
        "polyq: rank 0: all_reduce_sum of 4610 floats (operation 17): rank 1 runs another program "
        "or other settings; start every rank from the same build with the same flags");
}

TEST_CASE("a rank that gave up is named before all") {
  const CommError error = failure_of(
      0, call, {std::nullopt, {{with_run(4), ""}}, {{{5, Operation::barrier, 0, 0, 3}, "no luck"}}},
      1);
  CHECK(error.kind == CommError::Kind::gave_up);
  CHECK(error.ranks == std::vector{2});
  CHECK(std::string(error.what()) ==
        "polyq: rank 0: all_reduce_sum of 4610 floats (operation 17): rank 2 gave up: no luck");
}

TEST_CASE("a rank that gave up says so of itself") {
  const CommError error = gave_up(3, "no luck");
  CHECK(error.kind == CommError::Kind::gave_up);
  CHECK(error.ranks == std::vector{3});
  CHECK(std::string(error.what()) == "polyq: rank 3 gave up: no luck");
}
