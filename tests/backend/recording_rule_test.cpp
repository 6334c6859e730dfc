// SPDX-License-Identifier: MIT
// A machine is inside a recording while a scope lives, and refuses what may not stand there.
#include <doctest/doctest.h>

#include <polyq/backend/recording_rule.hpp>
#include <stdexcept>
#include <type_traits>

namespace {

struct Machine : polyq::backend::RecordingRule {
  using RecordingRule::RecordingScope;
  void wait() const { refuse_in_recording("waiting"); }
};
static_assert(!std::is_copy_constructible_v<Machine> && !std::is_move_constructible_v<Machine>);

}  // namespace

TEST_CASE("what is refused inside a scope is allowed before and behind it") {
  Machine machine;
  CHECK_NOTHROW(machine.wait());
  {
    const Machine::RecordingScope scope(machine);
    CHECK_THROWS_WITH_AS(machine.wait(), "polyq: waiting inside a recording; do it before or after",
                         polyq::DeviceError);
    CHECK_THROWS_WITH_AS(Machine::RecordingScope{machine},
                         "polyq: a second recording inside a recording; do it before or after",
                         polyq::DeviceError);
    CHECK_THROWS_AS(machine.wait(), polyq::DeviceError);  // the refused one changed nothing
  }
  CHECK_NOTHROW(machine.wait());
}

TEST_CASE("an exception ends the scope") {
  Machine machine;
  try {
    const Machine::RecordingScope scope(machine);
    throw std::runtime_error("out of luck");
  } catch (const std::runtime_error&) {
  }
  CHECK_NOTHROW(machine.wait());
}
