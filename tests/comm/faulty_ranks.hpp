// SPDX-License-Identifier: MIT
// Faulty: a communicator that works until one rank comes to one operation; there it is late, fails,
// gives up, or whatever else a test lets it do.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <polyq/backend/concept.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace test {

/// What happens in front of the chosen operation, which is then carried out.
template <class Comm>
using Fault = std::function<void(const Comm&)>;

/// By less than the deadline a delay, by more a stall.
inline auto late(std::chrono::duration<double> by) {
  return [by](const auto&) { std::this_thread::sleep_for(by); };
}
inline auto error(const std::string& what) {
  return [what](const auto&) { throw std::runtime_error(what); };
}
inline auto giving_up(const std::string& reason) {
  return [reason](const auto& comm) { comm.abort(reason); };
}

template <class Comm>
struct FaultyOperations {
  Comm comm;
  int rank;
  std::uint64_t operation;  // counted from 1, where it runs and not where it is enqueued
  Fault<Comm> fault;
  std::uint64_t count = 0;
  void pass() {
    if (++count == operation && comm.rank() == rank) fault(comm);
  }
};
template <class Comm>
struct PassFault {
  FaultyOperations<Comm>* operations;
  void operator()(std::int64_t) const { operations->pass(); }
};

template <class Comm>
class Faulty {
 public:
  Faulty(Comm comm, int rank, std::uint64_t operation, Fault<Comm> fault)
      : operations_(std::make_shared<FaultyOperations<Comm>>(
            FaultyOperations<Comm>{std::move(comm), rank, operation, std::move(fault)})) {}

  static constexpr bool reaches(polyq::backend::Memory memory) { return Comm::reaches(memory); }
  int rank() const { return comm().rank(); }
  int size() const { return comm().size(); }
  void introduce(std::uint64_t run) const { comm().introduce(run); }
  void agree(std::span<std::uint64_t> words) const {
    operations_->pass();
    comm().agree(words);
  }
  void barrier() const {
    operations_->pass();
    comm().barrier();
  }
  void check() const { comm().check(); }
  void abort(const std::string& reason) const noexcept { comm().abort(reason); }

  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t n) const {
    machine.for_each(1, PassFault<Comm>{operations_.get()});
    comm().all_reduce_sum(machine, span, n);
  }
  template <class Machine>
  void all_gather(Machine& machine, const float* mine, float* all, std::size_t n) const {
    machine.for_each(1, PassFault<Comm>{operations_.get()});
    comm().all_gather(machine, mine, all, n);
  }
  template <class Machine>
  void broadcast(Machine& machine, float* span, std::size_t n, int root) const {
    machine.for_each(1, PassFault<Comm>{operations_.get()});
    comm().broadcast(machine, span, n, root);
  }
  template <class Machine>
  void synchronize(Machine& machine) const {
    comm().synchronize(machine);
  }

 private:
  const Comm& comm() const { return operations_->comm; }
  std::shared_ptr<FaultyOperations<Comm>> operations_;
};

}  // namespace test
