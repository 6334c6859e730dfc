// SPDX-License-Identifier: MIT
// SyncTarget moves the target by τ of the way at each period's last update, and only then.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/core/clock.hpp>
#include <polyq/dqn/sync_target.hpp>
#include <vector>

#include "backends.hpp"

namespace {

constexpr std::size_t count = 37;  // packets and a rest

/// The target after the copy behind update number `updates`, counted from 0.
template <class B>
std::vector<float> synced(float target_value, float online_value, std::uint64_t updates,
                          std::uint64_t period, float tau) {
  typename B::Machine machine{B{}};
  const auto target = machine.template allocate<float>(count);
  const auto online = machine.template allocate<float>(count);
  const auto clock = machine.template allocate<polyq::core::Clock>(1);
  std::vector<float> values(count, target_value), goal(count, online_value);
  const polyq::core::Clock now{0, updates};
  machine.upload(target.get(), values.data(), count);
  machine.upload(online.get(), goal.data(), count);
  machine.upload(clock.get(), &now, 1);
  machine.for_each_element(count,
                           polyq::SyncTarget{target.get(), online.get(), clock.get(), period, tau});
  machine.download(values.data(), target.get(), count);
  return values;
}
std::vector<float> filled(float value) { return std::vector<float>(count, value); }

}  // namespace

TEST_CASE_TEMPLATE("a period's last update copies, the others do not", B, POLYQ_BACKENDS) {
  for (const std::uint64_t updates : {0, 1, 3, 4, 6})
    CHECK(synced<B>(1, 5, updates, 3, 1) == filled(1));
  for (const std::uint64_t updates : {2, 5, 8}) CHECK(synced<B>(1, 5, updates, 3, 1) == filled(5));
  for (const std::uint64_t updates : {0, 1, 2}) CHECK(synced<B>(1, 5, updates, 1, 1) == filled(5));
}

TEST_CASE_TEMPLATE("tau is the part of the way", B, POLYQ_BACKENDS) {
  CHECK(synced<B>(1, 5, 0, 1, .25f) == filled(2));
  CHECK(synced<B>(1, 5, 2, 3, .5f) == filled(3));
}

// 1e8 + (.1 - 1e8) is 0 in float.
TEST_CASE_TEMPLATE("a tau of 1 copies bit for bit", B, POLYQ_BACKENDS) {
  CHECK(synced<B>(1e8f, .1f, 0, 1, 1) == filled(.1f));
}
