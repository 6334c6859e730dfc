// SPDX-License-Identifier: MIT
// Threads: host ranks in one process, each a thread of its own.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "polyq/comm/host_ranks.hpp"
#include "polyq/comm/transport.hpp"

namespace polyq::comm {

/// What threads share: a desk for each. A rank lays its call and its span on its desk and says so
/// by the call's number; until all have said that they are done, every desk stays as it is. Either
/// all ranks carry a call out or none: who comes late must not touch the span of one that left.
class ThreadGroup {
 public:
  struct alignas(64) Desk {
    Call call;
    void* span = nullptr;         // what is reduced, copied or gathered into
    const float* mine = nullptr;  // what a gather takes
    std::atomic<std::uint64_t> arrived{0}, done{0};
    std::string reason;  // why the rank gave up; written before `gave_up`
    std::atomic<bool> gave_up{false};
  };
  explicit ThreadGroup(int ranks) : desks(std::size_t(ranks)) {}
  static constexpr std::uint64_t off = ~std::uint64_t{0};
  std::vector<Desk> desks;
  std::atomic<std::uint64_t> carried_out{0};  // the last call that is, or `off`
};

/// One rank's end of a group. Every rank sums a segment of all spans, in the order of ranks.
class ThreadTransport final : public Transport {
 public:
  ThreadTransport(std::shared_ptr<ThreadGroup> group, int rank, Deadline deadline)
      : Transport(rank, int(group->desks.size()), deadline), group_(std::move(group)) {}

 protected:
  void sum(const Call& call, std::span<float> span) override {
    combine(call, span, [](float a, float b) { return a + b; });
  }
  void maximum(const Call& call, std::span<std::uint64_t> words) override {
    combine(call, words, [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); });
  }
  void gather(const Call& call, std::span<const float> mine, std::span<float> all) override {
    arrive(call, all.data(), mine.data());
    for (int r = 0; r < size(); ++r)
      std::copy_n(desk(r).mine, mine.size(), all.data() + std::size_t(r) * mine.size());
    finish(call);
  }
  void copy(const Call& call, std::span<float> span) override {
    const int root = int(call.root);
    arrive(call, span.data(), nullptr);
    if (rank() != root)
      std::copy_n(static_cast<const float*>(desk(root).span), span.size(), span.data());
    finish(call);
  }
  void give_up(const Standing& standing) noexcept override {
    ThreadGroup::Desk& mine = desk(rank());
    if (mine.gave_up.load(std::memory_order_relaxed)) return;
    mine.reason = standing.reason;
    mine.gave_up.store(true, std::memory_order_release);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t block = 256;  // numbers summed in registers and the nearest cache

  ThreadGroup::Desk& desk(int r) const { return group_->desks[std::size_t(r)]; }

  /// Element-wise over the spans of all ranks; this rank does its segment for all.
  template <class T, class Combine>
  void combine(const Call& call, std::span<T> span, Combine with) {
    arrive(call, span.data(), nullptr);
    const std::size_t blocks = (span.size() + block - 1) / block;
    const std::size_t first = blocks * std::size_t(rank()) / std::size_t(size()) * block;
    const std::size_t last = blocks * std::size_t(rank() + 1) / std::size_t(size()) * block;
    std::size_t at = first;
    for (; at + block <= last && at + block <= span.size(); at += block)
      combine_block<T, block>(at, with);
    for (; at < std::min(last, span.size()); ++at) combine_block<T, 1>(at, with);
    finish(call);
  }
  /// A compiler turns loops of a fixed length into vectors at -O2 too.
  template <class T, std::size_t Count, class Combine>
  void combine_block(std::size_t at, Combine with) {
    std::array<T, Count> total;  // no other span overlaps it
    std::copy_n(static_cast<const T*>(desk(0).span) + at, Count, total.begin());
    for (int r = 1; r < size(); ++r) {
      const T* other = static_cast<const T*>(desk(r).span) + at;
      for (std::size_t i = 0; i < Count; ++i) total[i] = with(total[i], other[i]);
    }
    for (int r = 0; r < size(); ++r)
      std::copy_n(total.begin(), Count, static_cast<T*>(desk(r).span) + at);
  }

  /// Lays the call on the desk and waits until every rank has laid the same.
  void arrive(const Call& call, void* span, const float* mine) {
    ThreadGroup::Desk& here = desk(rank());
    here.call = call;
    here.span = span;
    here.mine = mine;
    began_ = Clock::now();
    if (group_->carried_out.load(std::memory_order_acquire) == ThreadGroup::off) fail(call);
    here.arrived.store(call.number, std::memory_order_release);
    wait_for_all(call, &ThreadGroup::Desk::arrived, [&] {
      const bool hopeless = any_gave_up() || Clock::now() - began_ > deadline();
      if (hopeless && settle(call, ThreadGroup::off)) fail(call);
    });
    if (!settle(call, call.number)) fail(call);
    for (int r = 0; r < size(); ++r)
      if (desk(r).call != call) fail(call);
  }
  /// Waits until no rank needs this rank's span any more, however long: nothing but work delays it.
  void finish(const Call& call) {
    desk(rank()).done.store(call.number, std::memory_order_release);
    wait_for_all(call, &ThreadGroup::Desk::done, [] {});
  }
  /// Makes it the fate of the call that it is carried out, or off; whether it is that now.
  bool settle(const Call& call, std::uint64_t fate) {
    std::uint64_t last = group_->carried_out.load();
    while (last < call.number)
      if (group_->carried_out.compare_exchange_weak(last, fate)) return true;
    return last == fate;
  }
  template <class Meanwhile>
  void wait_for_all(const Call& call, std::atomic<std::uint64_t> ThreadGroup::Desk::*step,
                    Meanwhile meanwhile) {
    for (int r = 0; r < size(); ++r) {
      for (int turn = 0; (desk(r).*step).load(std::memory_order_acquire) < call.number; ++turn) {
        if (turn < spins) continue;
        meanwhile();
        if (turn < spins + yields)
          std::this_thread::yield();
        else
          std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
  static constexpr int spins = 2'000, yields = 20'000;

  bool any_gave_up() const {
    return std::any_of(group_->desks.begin(), group_->desks.end(), [](const auto& desk) {
      return desk.gave_up.load(std::memory_order_acquire);
    });
  }
  [[noreturn]] void fail(const Call& call) {
    std::vector<std::optional<Standing>> ranks(group_->desks.size());
    for (int r = 0; r < size(); ++r) {
      const ThreadGroup::Desk& other = desk(r);
      if (other.gave_up.load(std::memory_order_acquire))
        ranks[r] = {other.call, other.reason};
      else if (other.arrived.load(std::memory_order_acquire) >= call.number)
        ranks[r] = {other.call, ""};
    }
    const double waited = std::chrono::duration<double>(Clock::now() - began_).count();
    give_up({call, ""});  // without a reason: each rank finds it for itself
    throw failure_of(rank(), call, ranks, waited);
  }

  std::shared_ptr<ThreadGroup> group_;
  Clock::time_point began_;
};

/// Ranks of one process. Alone it is one rank, which may host several shards.
class Threads : public HostRanks {
 public:
  Threads() : Threads(std::make_shared<ThreadGroup>(1), 0, default_deadline) {}

  /// Calls f(Threads) on `ranks` threads, one of them the caller's; returns when all have ended.
  /// Where ranks throw, the others are told, and the first error that is no consequence of another
  /// is thrown on. Throws SettingsError.
  template <class F>
  static void run(int ranks, F f, Deadline deadline = default_deadline) {
    require(ranks >= 1 && ranks <= 1'024, "ranks", ranks, "[1, 1024]");
    const auto group = std::make_shared<ThreadGroup>(ranks);
    std::vector<Threads> handles;
    for (int rank = 0; rank < ranks; ++rank) handles.push_back(Threads(group, rank, deadline));
    std::vector<std::exception_ptr> errors(group->desks.size());
    const auto body = [&](int rank) {
      const Threads& handle = handles[rank];
      try {
        f(handle);
      } catch (const std::exception& error) {
        errors[rank] = std::current_exception();
        handle.abort(error.what());
      } catch (...) {
        errors[rank] = std::current_exception();
        handle.abort("an exception of a type of its own");
      }
      handle.abort("its thread has ended");
    };
    std::vector<std::thread> threads;
    try {
      for (int rank = 1; rank < ranks; ++rank) threads.emplace_back(body, rank);
    } catch (const std::system_error& error) {
      handles[0].abort("a thread could not be made");
      for (std::thread& thread : threads) thread.join();
      throw Error("polyq: " + shown(ranks) + " ranks: thread " + shown(threads.size() + 1) +
                  " could not be made (" + error.what() + "); start fewer");
    }
    body(0);
    for (std::thread& thread : threads) thread.join();
    rethrow_first(errors);
  }

 private:
  Threads(std::shared_ptr<ThreadGroup> group, int rank, Deadline deadline)
      : HostRanks(std::make_shared<ThreadTransport>(std::move(group), rank, deadline)) {}

  static void rethrow_first(const std::vector<std::exception_ptr>& errors) {
    std::exception_ptr first;
    for (const std::exception_ptr& error : errors) {
      if (!error) continue;
      if (!is_consequence(error)) std::rethrow_exception(error);
      if (!first) first = error;
    }
    if (first) std::rethrow_exception(first);
  }
  static bool is_consequence(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const CommError& comm) {
      return comm.kind == CommError::Kind::gave_up;
    } catch (...) {
      return false;
    }
  }
};

}  // namespace polyq::comm
