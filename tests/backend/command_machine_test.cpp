// SPDX-License-Identifier: MIT
// Recordings replay copies of what was enqueued, so that a frozen host number shows.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/backend/command_machine.hpp>
#include <polyq/backend/reference.hpp>
#include <polyq/backend/thrust.hpp>

#define REPLAYING polyq::backend::Reference, polyq::backend::ThrustHost

namespace {

struct Add {
  float* out;
  float value;
  POLYQ_HD void operator()(std::int64_t) const { *out += value; }
};

/// The mistake that replaying is there to show: a host number becomes part of a command.
template <class Machine>
struct Frozen {
  Machine* machine;
  float* out;
  const float* host;
  int* calls;
  void operator()() const {
    ++*calls;
    machine->for_each(1, Add{out, *host});
  }
};

/// A cycle that enqueues nothing.
struct Empty {
  int* calls;
  void operator()() const { ++*calls; }
};

}  // namespace

TEST_CASE_TEMPLATE("a host number is read while recording and never again", B, REPLAYING) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  float out = 0, host = 1;
  int calls = 0;
  auto cycle = machine.record(Frozen<Machine>{&machine, &out, &host, &calls});
  cycle();  // eagerly: + 1
  host = 10;
  cycle();  // records: + 10
  host = 100;
  cycle();  // replays: + 10
  CHECK(out == 21);
  CHECK(calls == 2);
}

TEST_CASE_TEMPLATE("two recordings of one machine keep their own commands", B, REPLAYING) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  float a = 0, b = 0, one = 1, ten = 10;
  int calls = 0;
  auto first = machine.record(Frozen<Machine>{&machine, &a, &one, &calls});
  auto second = machine.record(Frozen<Machine>{&machine, &b, &ten, &calls});
  for (int i = 0; i < 4; ++i) first(), second();
  CHECK(a == 4);
  CHECK(b == 40);
  machine.for_each(1, Add{&a, 5});  // outside a recording at once
  CHECK(a == 9);
}

TEST_CASE_TEMPLATE("a recording of nothing is replayed, too", B, REPLAYING) {
  typename B::Machine machine(B{});
  int calls = 0;
  auto cycle = machine.record(Empty{&calls});
  for (int i = 0; i < 5; ++i) cycle();
  CHECK(calls == 2);
}
