// SPDX-License-Identifier: MIT
// Transport: what carries host spans between ranks: it numbers the calls and, once one has failed,
// refuses all that follow.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "polyq/comm/call.hpp"
#include "polyq/core/error.hpp"

namespace polyq::comm {

/// How long an operation may wait for the other ranks.
using Deadline = std::chrono::duration<double>;
constexpr Deadline default_deadline{60};

/// Belongs to one thread. Every call waits until it is done.
class Transport {
 public:
  /// Throws SettingsError.
  Transport(int rank, int size, Deadline deadline) : rank_(rank), size_(size), deadline_(deadline) {
    require(deadline.count() > 0 && deadline.count() <= 1e9, "deadline in seconds",
            deadline.count(), "(0, 1e9]");
  }
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  Deadline deadline() const { return deadline_; }

  void introduce(std::uint64_t run) { run_ = run; }
  void all_reduce_sum(std::span<float> span) {
    perform(Operation::all_reduce_sum, span.size(), 0, [&](const Call& c) { sum(c, span); });
  }
  void all_gather(std::span<const float> mine, std::span<float> all) {
    perform(Operation::all_gather, mine.size(), 0, [&](const Call& c) { gather(c, mine, all); });
  }
  void broadcast(std::span<float> span, int root) {
    require(root >= 0 && root < size_, "root of a broadcast", root, "[0, " + shown(size_) + ")");
    perform(Operation::broadcast, span.size(), root, [&](const Call& c) { copy(c, span); });
  }
  void agree(std::span<std::uint64_t> words) {
    perform(Operation::agree, words.size(), 0, [&](const Call& c) { maximum(c, words); });
  }
  void barrier() {
    perform(Operation::barrier, 0, 0, [&](const Call& c) { maximum(c, {}); });
  }
  void check() const {
    if (failure_) throw *failure_;
  }
  void abort(const std::string& reason) noexcept {
    if (failure_) return;
    failure_ = gave_up(rank_, reason);
    give_up({last_, reason.empty() ? "no reason given" : reason});
  }

 protected:
  // Each as the public one of its kind; throws CommError. On one rank there is nothing to do.
  virtual void sum(const Call&, std::span<float>) = 0;
  virtual void gather(const Call&, std::span<const float> mine, std::span<float> all) = 0;
  virtual void copy(const Call&, std::span<float>) = 0;  // from call.root
  virtual void maximum(const Call&, std::span<std::uint64_t>) = 0;
  /// Tells the other ranks.
  virtual void give_up(const Standing&) noexcept = 0;

  bool failed() const { return failure_.has_value(); }
  const Call& last_call() const { return last_; }

 private:
  template <class Move>
  void perform(Operation operation, std::size_t count, int root, Move move) {
    check();
    last_ = {last_.number + 1, operation, std::uint32_t(root), count, run_};
    if (size_ == 1 && operation != Operation::all_gather) return;
    try {
      move(last_);
    } catch (const CommError& error) {
      failure_ = error;
      throw;
    }
  }

  int rank_, size_;
  Deadline deadline_;
  std::uint64_t run_ = 0;
  Call last_;
  std::optional<CommError> failure_;
};

}  // namespace polyq::comm
