// SPDX-License-Identifier: MIT
// A step's rows and a batch of tests: on the host, where they are written and read, and in a
// machine's memory, where replays take and leave them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <polyq/replay/concept.hpp>
#include <vector>

#include "memory.hpp"

namespace test {

/// As polyq::replay::Rows, on the host.
template <class Observations>
struct HostRows {
  static constexpr std::size_t count = Observations::columns;
  HostMatrix<Observations> observations, next;
  std::vector<std::int32_t> actions = std::vector<std::int32_t>(count);
  std::vector<float> rewards = std::vector<float>(count);
  std::vector<std::uint8_t> terminated = std::vector<std::uint8_t>(count), truncated = terminated;
};

/// Memory of a machine for such rows.
template <class Machine, class Observations>
class RowsOn {
  template <class T>
  using Owned = typename Machine::template Owned<T>;

 public:
  explicit RowsOn(Machine& machine) : RowsOn(machine, HostRows<Observations>{}) {}
  RowsOn(Machine& machine, const HostRows<Observations>& rows)
      : observations_(uploaded(machine, rows.observations.values)),
        next_(uploaded(machine, rows.next.values)),
        actions_(uploaded(machine, rows.actions)),
        rewards_(uploaded(machine, rows.rewards)),
        terminated_(uploaded(machine, rows.terminated)),
        truncated_(uploaded(machine, rows.truncated)) {}

  polyq::replay::Rows<Observations> view() const {
    return {{observations_.get()}, {next_.get()},     actions_.get(),
            rewards_.get(),        terminated_.get(), truncated_.get()};
  }
  void upload(Machine& machine, const HostRows<Observations>& rows) {
    test::upload(machine, view().observations, rows.observations);
    test::upload(machine, view().next, rows.next);
    machine.upload(actions_.get(), rows.actions.data(), rows.count);
    machine.upload(rewards_.get(), rows.rewards.data(), rows.count);
    machine.upload(terminated_.get(), rows.terminated.data(), rows.count);
    machine.upload(truncated_.get(), rows.truncated.data(), rows.count);
  }
  HostRows<Observations> download(Machine& machine) const {
    return {downloaded(machine, view().observations),
            downloaded(machine, view().next),
            downloaded(machine, actions_.get(), HostRows<Observations>::count),
            downloaded(machine, rewards_.get(), HostRows<Observations>::count),
            downloaded(machine, terminated_.get(), HostRows<Observations>::count),
            downloaded(machine, truncated_.get(), HostRows<Observations>::count)};
  }

 private:
  Owned<float> observations_, next_;
  Owned<std::int32_t> actions_;
  Owned<float> rewards_;
  Owned<std::uint8_t> terminated_, truncated_;
};

/// As polyq::replay::Batch, on the host.
template <class Observations>
struct HostBatch {
  static constexpr std::size_t count = Observations::columns;
  HostMatrix<Observations> observations, next;
  std::vector<std::int32_t> actions = std::vector<std::int32_t>(count);
  std::vector<float> rewards = std::vector<float>(count), discounts = rewards;
  std::vector<std::int64_t> rows = std::vector<std::int64_t>(count);
  std::vector<float> weights = rewards;  // zeros where the replay is not weighted
};

template <class Machine, class Observations>
HostBatch<Observations> downloaded(Machine& machine,
                                   const polyq::replay::Batch<Observations>& from) {
  constexpr std::size_t count = Observations::columns;
  return {downloaded(machine, from.observations),
          downloaded(machine, from.next),
          downloaded(machine, from.actions, count),
          downloaded(machine, from.rewards, count),
          downloaded(machine, from.discounts, count),
          downloaded(machine, from.rows, count),
          from.weights == nullptr ? std::vector<float>(count)
                                  : downloaded(machine, from.weights, count)};
}

/// Memory of a machine for such a batch.
template <class Machine, class Observations>
class BatchOn {
  template <class T>
  using Owned = typename Machine::template Owned<T>;

 public:
  explicit BatchOn(Machine& machine) : BatchOn(machine, HostBatch<Observations>{}) {}
  BatchOn(Machine& machine, const HostBatch<Observations>& batch)
      : observations_(uploaded(machine, batch.observations.values)),
        next_(uploaded(machine, batch.next.values)),
        actions_(uploaded(machine, batch.actions)),
        rewards_(uploaded(machine, batch.rewards)),
        discounts_(uploaded(machine, batch.discounts)),
        weights_(uploaded(machine, batch.weights)),
        rows_(uploaded(machine, batch.rows)) {}

  polyq::replay::Batch<Observations> view() const {
    return {{observations_.get()}, {next_.get()},  actions_.get(), rewards_.get(),
            discounts_.get(),      weights_.get(), rows_.get()};
  }

 private:
  Owned<float> observations_, next_;
  Owned<std::int32_t> actions_;
  Owned<float> rewards_, discounts_, weights_;
  Owned<std::int64_t> rows_;
};

}  // namespace test
