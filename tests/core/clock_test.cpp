// SPDX-License-Identifier: MIT
// Tick advances both counts, past 32 bits and at every replay of a recording.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/core/clock.hpp>

#include "backends.hpp"

namespace core = polyq::core;

namespace {

template <class Machine>
struct Ticking {
  Machine* machine;
  core::Clock* clock;
  void operator()() const { machine->for_each(1, core::Tick{clock, 8, 1}); }
};

}  // namespace

TEST_CASE_TEMPLATE("a tick adds to both counts", B, POLYQ_BACKENDS) {
  typename B::Machine machine(B{});
  auto clock = machine.template allocate<core::Clock>(1);
  const core::Clock start{(std::uint64_t{1} << 32) - 1, 41};
  machine.upload(clock.get(), &start, 1);
  machine.for_each(1, core::Tick{clock.get(), 4, 0});
  machine.for_each(1, core::Tick{clock.get(), 0, 1});
  core::Clock now{};
  machine.download(&now, clock.get(), 1);
  CHECK(now.env_steps == 4'294'967'299u);  // 2^32 - 1 + 4
  CHECK(now.updates == 42);
}

TEST_CASE_TEMPLATE("a recorded tick goes on at every replay", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  auto clock = machine.template allocate<core::Clock>(1);
  const core::Clock start{0, 0};
  machine.upload(clock.get(), &start, 1);
  auto cycle = machine.record(Ticking<Machine>{&machine, clock.get()});
  for (int i = 0; i < 5; ++i) cycle();
  core::Clock now{};
  machine.download(&now, clock.get(), 1);
  CHECK(now.env_steps == 40);
  CHECK(now.updates == 5);
}
