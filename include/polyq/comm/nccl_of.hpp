// SPDX-License-Identifier: MIT
// NcclOf: GPUs as ranks, one process each, over an Api that forwards to NCCL and CUDA; comm::Nccl
// is the one that does.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "polyq/backend/concept.hpp"
#include "polyq/comm/concept.hpp"
#include "polyq/comm/launch.hpp"
#include "polyq/comm/nccl_rank.hpp"
#include "polyq/comm/transport.hpp"
#include "polyq/core/error.hpp"

namespace polyq::comm {

/// The variable from which NCCL derives the same id on every rank, set while this lives; a user's
/// own stays.
class NcclMeetingPlace {
 public:
  static constexpr const char* variable = "NCCL_COMM_ID";

  /// Throws SettingsError where several ranks have no address.
  explicit NcclMeetingPlace(const Launch& launch) {
    if (launch.size <= 1 || std::getenv(variable) != nullptr) return;
    if (launch.address.empty())
      throw SettingsError(
          "MASTER_ADDR", "polyq: MASTER_ADDR is absent, and " + shown(launch.size) + " ranks (by " +
                             launch.source +
                             ") must meet; allowed: the host of rank 0 as every rank reaches it");
    setenv(variable, text_of(launch).c_str(), 1);
    set_ = true;
  }
  ~NcclMeetingPlace() {
    if (set_) unsetenv(variable);
  }
  NcclMeetingPlace(const NcclMeetingPlace&) = delete;
  NcclMeetingPlace& operator=(const NcclMeetingPlace&) = delete;

 private:
  static std::string text_of(const Launch& launch) {
    const bool is_ipv6 = launch.address.find(':') != std::string::npos;
    const std::string host = is_ipv6 ? "[" + launch.address + "]" : launch.address;
    return host + ":" + shown(port_of(launch));
  }
  /// torchrun says that it listens on the launch's port itself; NCCL needs another.
  static int port_of(const Launch& launch) {
    const char* taken = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    if (taken == nullptr || std::strcmp(taken, "True") != 0) return launch.port;
    return launch.port < 65535 ? launch.port + 1 : launch.port - 1;
  }
  bool set_ = false;
};

/// A copyable handle, whose last copy closes the communicator. What moves is enqueued on the
/// machine's stream and may be recorded; there a deadline is kept by `synchronize` alone.
template <class Api>
class NcclOf {
 public:
  /// The rank that the launcher's variables say, as `from`. Waits for the other ranks.
  static NcclOf from_environment(Deadline deadline = default_deadline) {
    return from(find_launch(), deadline);
  }
  /// Ranks that meet at the launch's address and port, below torchrun at the port beside it, by
  /// NCCL alone: it needs an interface in that address's subnet on every host. One rank needs no
  /// address. Waits. Throws SettingsError, DeviceError without the device, CommError.
  static NcclOf from(const Launch& launch, Deadline deadline = default_deadline) {
    const NcclMeetingPlace place(launch);
    const auto rank = opened(launch.rank, launch.size, launch.local_rank, deadline);
    rank->connect(rank->make_id());
    return NcclOf(rank);
  }
  /// Ranks that another communicator connects already, of host memory say; it is used here only.
  /// Waits. Throws SettingsError, DeviceError without the device, CommError.
  template <Communicator Bootstrap>
  static NcclOf over(const Bootstrap& bootstrap, int local_rank,
                     Deadline deadline = default_deadline) {
    using Id = typename Api::Id;
    const auto rank = opened(bootstrap.rank(), bootstrap.size(), local_rank, deadline);
    Id id = bootstrap.rank() == 0 ? rank->make_id() : Id{};
    std::array<std::uint64_t, sizeof(Id) / sizeof(std::uint64_t)> words;
    static_assert(sizeof words == sizeof id);
    std::memcpy(words.data(), &id, sizeof id);
    bootstrap.agree(words);  // the maximum: zeros from all but rank 0
    std::memcpy(&id, words.data(), sizeof id);
    rank->connect(id);
    return NcclOf(rank);
  }

  static constexpr bool reaches(backend::Memory memory) {
    return memory == backend::Memory::device;
  }
  int rank() const { return rank_->rank(); }
  int size() const { return rank_->size(); }
  int local_rank() const { return rank_->local_rank(); }  // the device's number on this host
  void introduce(std::uint64_t run) const { rank_->introduce(run); }
  void agree(std::span<std::uint64_t> words) const { rank_->agree(words); }
  void barrier() const { rank_->barrier(); }
  void check() const { rank_->check(); }
  /// The others' calls fail as those of a rank that is gone.
  void abort(const std::string& reason) const noexcept { rank_->abort(reason); }

  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t n) const {
    rank_->all_reduce_sum(span, n, machine.stream());
  }
  template <class Machine>
  void all_gather(Machine& machine, const float* mine, float* all, std::size_t n) const {
    rank_->all_gather(mine, all, n, machine.stream());
  }
  template <class Machine>
  void broadcast(Machine& machine, float* span, std::size_t n, int root) const {
    rank_->broadcast(span, n, root, machine.stream());
  }
  /// Throws CommError, and DeviceError where this rank's own device failed.
  template <class Machine>
  void synchronize(Machine& machine) const {
    try {
      rank_->finish(machine.stream());
    } catch (const DeviceError&) {
      machine.synchronize();  // knows who enqueued
      throw;
    }
    machine.synchronize();
  }

 private:
  using Rank = NcclRank<Api>;
  explicit NcclOf(std::shared_ptr<Rank> rank) : rank_(std::move(rank)) {}
  static std::shared_ptr<Rank> opened(int rank, int size, int local_rank, Deadline deadline) {
    return std::make_shared<Rank>(rank, size, local_rank, deadline);
  }

  std::shared_ptr<Rank> rank_;
};

}  // namespace polyq::comm
