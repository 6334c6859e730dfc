// SPDX-License-Identifier: MIT
// What tests record: a functor that counts in backend memory, and a body that fails.
#pragma once
#include <cstdint>
#include <polyq/core/config.hpp>
#include <stdexcept>

namespace test {

struct AddOne {
  float* value;
  POLYQ_HD void operator()(std::int64_t) const { *value += 1; }
};

/// Throws at the call whose number is `throws_at`, after a command.
template <class Machine>
struct Failing {
  Machine* machine;
  float* memory;
  int *calls, throws_at;
  void operator()() const {
    machine->for_each(1, AddOne{memory});
    if (++*calls == throws_at) throw std::runtime_error("out of luck");
    machine->for_each(1, AddOne{memory});
  }
};

}  // namespace test
