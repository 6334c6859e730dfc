// SPDX-License-Identifier: MIT
// Memory is aligned or refused, recordings refuse what waits, and an exception leaves no trace.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <polyq/backend/host_machine.hpp>
#include <polyq/core/error.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"
#include "recordings.hpp"

namespace backend = polyq::backend;
using test::value_at;

using test::AddOne, test::Failing;

namespace {

// A sanitizer ends the program where operator new would throw.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool new_throws = false;
#else
constexpr bool new_throws = true;
#endif

struct ValueOf {
  const float* values;
  template <class Lane>
  POLYQ_HD typename Lane::Value operator()(Lane i) const {
    return i.load(values);
  }
};
/// values ← values + *step, the step prepared from backend memory
struct AddStep {
  float* values;
  const float* step;
  struct Element {
    float *values, step;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      i.store(values, i.load(values) + typename Lane::Value(step));
    }
  };
  POLYQ_HD Element prepare() const { return {values, *step}; }
};
struct CopyOfTeam {
  const float* from;
  float* to;
  struct One {
    float value;
    POLYQ_HD float operator()(int) const { return value; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t i) const {
    to[i] = team.sum(1, One{from[i]});
  }
};

/// Everything that a recording may hold, each reading what the one before wrote.
template <class Machine>
struct AllPrimitives {
  Machine* machine;
  float* memory;  // [33 values | step | sum | product | team's copy of the product]
  void operator()() const {
    using Matrix = polyq::core::Matrix<float, 1, 1>;
    machine->for_each_element(33, AddStep{memory, memory + 33});
    machine->for_each(1, AddOne{memory + 33});
    machine->zero(memory, sizeof(float));
    machine->sum(33, ValueOf{memory}, memory + 34);
    machine->matmul(Matrix{memory + 34}, Matrix{memory + 33}, Matrix{memory + 35});
    machine->for_each_team(1, CopyOfTeam{memory + 35, memory + 36});
  }
};

/// Counts, then does the forbidden.
template <class Machine>
struct Forbidden {
  Machine* machine;
  float* memory;
  const char* what;
  void operator()() const {
    machine->for_each(1, AddOne{memory});
    const std::string name(what);
    float host = 0;
    if (name == "allocate") machine->template allocate<float>(1);
    if (name == "upload") machine->upload(memory, &host, 1);
    if (name == "download") machine->download(&host, memory, 1);
    if (name == "synchronize") machine->synchronize();
    if (name == "a second recording") {
      auto inner = machine->record(Forbidden{machine, memory, "nothing"});
      inner();
    }
  }
};

}  // namespace

TEST_CASE_TEMPLATE("memory is 256-byte aligned, whatever its size and type", B, POLYQ_BACKENDS) {
  typename B::Machine machine(B{});
  const auto bytes = machine.template allocate<std::byte>(1);
  const auto floats = machine.template allocate<float>(1001);
  const auto doubles = machine.template allocate<double>(3);
  const auto nothing = machine.template allocate<float>(0);
  CHECK(reinterpret_cast<std::uintptr_t>(bytes.get()) % 256 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(floats.get()) % 256 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(doubles.get()) % 256 == 0);
}

TEST_CASE_TEMPLATE("memory that is not there is refused with its bytes" *
                       doctest::skip(!new_throws),
                   B, POLYQ_BACKENDS) {
  typename B::Machine machine(B{});
  const std::size_t floats = std::size_t{1} << 50;  // 4 PiB, beyond every address space of today
  std::string message;
  try {
    machine.template allocate<float>(floats, "a test");
  } catch (const polyq::DeviceError& error) {
    message = error.what();
  }
  const std::string begin = "polyq: cannot allocate 4503599627370496 bytes ";
  const std::string advice = "lower the replay's capacity or the network's size";
  if (test::on_gpu) {  // what is free there stands between
    CHECK(message.find(begin + "on CUDA device 0 for a test; ") == 0);
    CHECK(message.ends_with(" are free; " + advice));
  } else {
    CHECK(message == begin + "of host memory for a test; " + advice);
  }
}

TEST_CASE_TEMPLATE("a count whose bytes overflow is refused, not wrapped around", B,
                   POLYQ_BACKENDS) {
  typename B::Machine machine(B{});
  const std::size_t wraps_to_0 = std::size_t{1} << 62, wraps_to_4 = wraps_to_0 + 1;
  CHECK_THROWS_AS(machine.template allocate<float>(wraps_to_0), polyq::DeviceError);
  CHECK_THROWS_AS(machine.template allocate<float>(wraps_to_4), polyq::DeviceError);
  CHECK_THROWS_AS(machine.template allocate<std::byte>(std::numeric_limits<std::size_t>::max()),
                  polyq::DeviceError);
}

TEST_CASE_TEMPLATE("a machine is neither copied nor moved, since recordings hold its address", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  static_assert(!std::is_copy_constructible_v<Machine> && !std::is_move_constructible_v<Machine>);
  static_assert(!std::is_copy_assignable_v<Machine> && !std::is_move_assignable_v<Machine>);
}

TEST_CASE_TEMPLATE("a recording runs all primitives again at each call", B, POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  auto memory = machine.template allocate<float>(37);
  machine.zero(memory.get(), 37 * sizeof(float));
  auto cycle = machine.record(AllPrimitives<Machine>{&machine, memory.get()});
  // At call c, counted from 0, c is added to 33 values and the first becomes 0, so that the other
  // 32 hold 0 + 1 + … + c; the step is then c + 1, the product their sum times the step.
  float value = 0;
  for (int call = 0; call < 5; ++call) {
    cycle();
    value += float(call);
    CHECK(value_at(machine, memory.get()) == 0);
    CHECK(value_at(machine, memory.get() + 32) == value);
    CHECK(value_at(machine, memory.get() + 33) == call + 1);
    CHECK(value_at(machine, memory.get() + 34) == 32 * value);
    CHECK(value_at(machine, memory.get() + 35) == 32 * value * float(call + 1));
    CHECK(value_at(machine, memory.get() + 36) == 32 * value * float(call + 1));
  }
}

TEST_CASE_TEMPLATE("what waits, allocates or records may not stand in a recording", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  auto memory = machine.template allocate<float>(1);
  machine.zero(memory.get(), sizeof(float));
  for (const char* what : {"allocate", "upload", "download", "synchronize", "a second recording"}) {
    CAPTURE(what);
    auto cycle = machine.record(Forbidden<Machine>{&machine, memory.get(), what});
    const std::string message =
        "polyq: " + std::string(what) + " inside a recording; do it before or after";
    for (int call = 0; call < 3; ++call)
      CHECK_THROWS_WITH_AS(cycle(), message.c_str(), polyq::DeviceError);
    // Outside all of them go on, and so does a recording.
    CHECK_NOTHROW(Forbidden<Machine>{&machine, memory.get(), what}());
  }
  auto allowed = machine.record(Forbidden<Machine>{&machine, memory.get(), "nothing"});
  const float before = value_at(machine, memory.get());
  for (int call = 0; call < 3; ++call) CHECK_NOTHROW(allowed());
  CHECK(value_at(machine, memory.get()) == before + 3);
}

TEST_CASE_TEMPLATE("an exception inside a recording leaves machine and recording usable", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  for (const int throws_at : {1, 2}) {  // when it runs eagerly, and when it is stored
    CAPTURE(throws_at);
    Machine machine(B{});
    auto memory = machine.template allocate<float>(1);
    int calls = 0;
    auto cycle = machine.record(Failing<Machine>{&machine, memory.get(), &calls, throws_at});
    for (int call = 1; call < throws_at; ++call) cycle();
    CHECK_THROWS_WITH(cycle(), "out of luck");
    machine.zero(memory.get(), sizeof(float));
    CHECK_NOTHROW(machine.synchronize());
    machine.for_each(1, AddOne{memory.get()});
    CHECK(value_at(machine, memory.get()) == 1);  // enqueued and run, not stored somewhere
    for (int call = 0; call < 3; ++call) cycle();
    CHECK(value_at(machine, memory.get()) == 7);
  }
}
