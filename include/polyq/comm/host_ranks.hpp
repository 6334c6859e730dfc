// SPDX-License-Identifier: MIT
// HostRanks: the communicator over host memory, whatever carries the spans. An operation is a
// functor at one index, so that a recording repeats it in its place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "polyq/backend/concept.hpp"
#include "polyq/comm/transport.hpp"

namespace polyq::comm {

struct SumSpans {
  Transport* transport;
  float* span;
  std::size_t n;
  void operator()(std::int64_t) const { transport->all_reduce_sum({span, n}); }
};
struct GatherSpans {
  Transport* transport;
  const float* mine;
  float* all;
  std::size_t n;
  void operator()(std::int64_t) const {
    transport->all_gather({mine, n}, {all, n * std::size_t(transport->size())});
  }
};
struct CopySpan {
  Transport* transport;
  float* span;
  std::size_t n;
  int root;
  void operator()(std::int64_t) const { transport->broadcast({span, n}, root); }
};

/// Its operations wait where the machine runs them, for at most the transport's deadline.
class HostRanks {
 public:
  explicit HostRanks(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {}

  static constexpr bool reaches(backend::Memory memory) { return memory == backend::Memory::host; }
  int rank() const { return transport_->rank(); }
  int size() const { return transport_->size(); }
  void introduce(std::uint64_t run) const { transport_->introduce(run); }
  void agree(std::span<std::uint64_t> words) const { transport_->agree(words); }
  void barrier() const { transport_->barrier(); }
  void check() const { transport_->check(); }
  void abort(const std::string& reason) const noexcept { transport_->abort(reason); }

  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t n) const {
    machine.for_each(1, SumSpans{transport_.get(), span, n});
  }
  template <class Machine>
  void all_gather(Machine& machine, const float* mine, float* all, std::size_t n) const {
    machine.for_each(1, GatherSpans{transport_.get(), mine, all, n});
  }
  template <class Machine>
  void broadcast(Machine& machine, float* span, std::size_t n, int root) const {
    machine.for_each(1, CopySpan{transport_.get(), span, n, root});
  }
  template <class Machine>
  void synchronize(Machine& machine) const {
    machine.synchronize();
  }

 private:
  std::shared_ptr<Transport> transport_;
};

}  // namespace polyq::comm
