// SPDX-License-Identifier: MIT
// NcclRank: one rank's end of an NCCL communicator. No call waits beyond the deadline; one that
// fails aborts the communicator, and every call behind it throws what it threw.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "polyq/comm/call.hpp"
#include "polyq/comm/transport.hpp"
#include "polyq/core/error.hpp"

namespace polyq::comm {

/// Over `Api`, which forwards to NCCL and CUDA as NcclApi does. Belongs to one thread. The
/// communicator does not block: a call of it may be in progress when it returns, and must have been
/// polled to its end before its stream is used.
template <class Api>
class NcclRank {
 public:
  using Result = typename Api::Result;
  using Stream = typename Api::Stream;
  using Id = typename Api::Id;

  /// Opens the device of number `local_rank`; throws SettingsError and, without that device,
  /// DeviceError.
  NcclRank(int rank, int size, int local_rank, Deadline deadline)
      : rank_(rank), size_(size), local_rank_(local_rank), deadline_(deadline) {
    require(size >= 1, "number of ranks", size, ">= 1");
    require(rank >= 0 && rank < size, "rank", rank, "[0, " + shown(size) + ")");
    require(deadline.count() > 0 && deadline.count() <= 1e9, "deadline in seconds",
            deadline.count(), "(0, 1e9]");
    Api::open_device(local_rank);
  }
  /// Waits for at most the deadline, also for the end of what was recorded: NCCL keeps what a graph
  /// holds. So a recording holds a copy of the handle. Behind an abort it waits for 5 s at most.
  /// Where an exception ends the handle it aborts: NCCL would not tell the other ranks.
  ~NcclRank() {
    if (comm_ == Comm{}) return;
    if (!unwinds() && comes_to_rest())
      Api::destroy(comm_);
    else
      drop();
  }
  NcclRank(const NcclRank&) = delete;
  NcclRank& operator=(const NcclRank&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }

  Id make_id() {
    Id id{};
    settle(Api::make_id(id));
    return id;
  }
  /// Makes the communicator; every rank calls this with the same id. Waits.
  void connect(const Id& id) {
    settle(Api::begin(comm_, size_, id, rank_));
    on_device([&] {
      block_.emplace(std::size_t(size_) * call_words + words_a_block);
      event_.emplace();
    });
  }

  void introduce(std::uint64_t run) { run_ = run; }
  void all_reduce_sum(float* span, std::size_t n, Stream stream) {
    number(Operation::all_reduce_sum, n, 0);
    settle(Api::all_reduce_sum(comm_, span, n, stream));
  }
  void all_gather(const float* mine, float* all, std::size_t n, Stream stream) {
    number(Operation::all_gather, n, 0);
    settle(Api::all_gather(comm_, mine, all, n, stream));
  }
  void broadcast(float* span, std::size_t n, int root, Stream stream) {
    require(root >= 0 && root < size_, "root of a broadcast", root, "[0, " + shown(size_) + ")");
    number(Operation::broadcast, n, root);
    settle(Api::broadcast(comm_, span, n, root, stream));
  }
  /// The first words go in a block of one size whatever the calls are, so that ranks that call
  /// different things still understand each other; the rest in one piece.
  void agree(std::span<std::uint64_t> words) { exchange(Operation::agree, words); }
  void barrier() { exchange(Operation::barrier, {}); }

  /// Waits for what is enqueued on the stream; throws DeviceError where that failed.
  void finish(Stream stream) {
    check();
    wait_for(stream, "synchronize behind ");
  }
  void check() const {
    if (failure_) throw *failure_;
  }
  void abort(const std::string& reason) noexcept {
    if (failure_) return;
    failure_ = gave_up(rank_, reason);
    drop();
  }

 private:
  using Comm = typename Api::Comm;
  static constexpr std::size_t words_a_block = 64;  // 512 bytes, as fast as one word
  using CallWords = std::array<std::uint64_t, sizeof(Call) / sizeof(std::uint64_t)>;
  static constexpr std::size_t call_words = std::tuple_size_v<CallWords>;

  /// Turns of a wait: at first without sleep, since most waits are short.
  class Turns {
   public:
    explicit Turns(Deadline deadline) : deadline_(deadline) {}
    double waited() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
    /// False once the deadline is over.
    bool next() {
      if (++turn_ < spins) return true;
      if (waited() > deadline_.count()) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      return true;
    }

   private:
    using Clock = std::chrono::steady_clock;
    static constexpr int spins = 2'000;
    Deadline deadline_;
    Clock::time_point began_ = Clock::now();
    int turn_ = 0;
  };

  /// An abort on a thread of its own: NCCL raises its flags at once, by which kernels leave, but
  /// then waits until the last graph that holds the communicator is gone, and those of a caller end
  /// only by what a failure throws.
  class Aborting {
   public:
    explicit Aborting(Deadline deadline) : limit_(std::min(deadline, Deadline(5))) {}
    ~Aborting() {
      if (!thread_.joinable()) return;
      if (ended_.wait_for(limit_) == std::future_status::ready)
        thread_.join();
      else
        thread_.detach();  // a graph outlives the handle
    }
    Aborting(const Aborting&) = delete;
    Aborting& operator=(const Aborting&) = delete;

    void begin(Comm comm) noexcept {
      try {
        std::packaged_task<void()> task([comm] { Api::abort(comm); });  // may outlive this
        ended_ = task.get_future();
        thread_ = std::thread(std::move(task));
      } catch (const std::exception&) {
        // No thread to be had. Here it might never return; the others have their deadline.
      }
    }

   private:
    Deadline limit_;
    std::future<void> ended_;
    std::thread thread_;
  };

  void number(Operation operation, std::size_t count, int root) {
    check();
    last_ = {last_.number + 1, operation, std::uint32_t(root), count, run_};
  }

  /// Waits until NCCL has taken a call. By the host alone, so it may stand in a capture.
  void settle(Result result) {
    for (Turns turns(deadline_); result == Api::in_progress; result = Api::state(comm_))
      if (!turns.next()) fail_late("", turns.waited());
    if (result != Api::success) fail_refused("", result);
  }

  void wait_for(Stream stream, const char* before = "") {
    on_device([&] {
      event_->record(stream);
      for (Turns turns(deadline_);;) {
        const bool done = event_->is_done();
        const Result state = Api::state(comm_);
        if (state != Api::success && state != Api::in_progress) fail_refused(before, state);
        if (done) return;
        if (!turns.next()) fail_late(before, turns.waited());
      }
    });
  }

  void exchange(Operation operation, std::span<std::uint64_t> words) {
    number(operation, words.size(), 0);
    if (size_ == 1) return;
    const std::size_t first = std::min(words_a_block, words.size());
    exchange_first(words.first(first));
    if (words.size() > first) exchange_rest(words.subspan(first));
  }
  /// Block: each rank's call, zero from the others [size · call_words], then the words.
  void exchange_first(std::span<std::uint64_t> words) {
    std::uint64_t* calls = block_->host();
    std::uint64_t* agreed = calls + std::size_t(size_) * call_words;
    std::fill(calls, agreed + words_a_block, 0);
    const auto mine = std::bit_cast<CallWords>(last_);
    std::copy(mine.begin(), mine.end(), calls + std::size_t(rank_) * mine.size());
    std::copy(words.begin(), words.end(), agreed);
    take_maximum(*block_);
    compare(calls);
    std::copy_n(agreed, words.size(), words.begin());
  }
  void exchange_rest(std::span<std::uint64_t> words) {
    if (!rest_ || rest_->size() < words.size()) on_device([&] { rest_.emplace(words.size()); });
    std::copy(words.begin(), words.end(), rest_->host());
    take_maximum(*rest_);
    std::copy_n(rest_->host(), words.size(), words.begin());
  }
  void take_maximum(typename Api::Block& block) {
    on_device([&] { block.upload(); });
    settle(Api::maximum(comm_, block.device(), block.size(), block.stream()));
    on_device([&] { block.download(); });
    wait_for(block.stream());
  }
  void compare(const std::uint64_t* calls) {
    std::vector<std::optional<Standing>> ranks;
    bool same = true;
    for (int r = 0; r < size_; ++r) {
      CallWords words;
      std::copy_n(calls + std::size_t(r) * words.size(), words.size(), words.begin());
      ranks.push_back(Standing{std::bit_cast<Call>(words), ""});
      same = same && ranks.back()->call == last_;
    }
    if (!same) fail(failure_of(rank_, last_, ranks, 0));
  }

  /// Calls f, which touches the device; where that fails this rank gives up.
  template <class F>
  void on_device(F f) {
    try {
      f();
    } catch (const DeviceError& error) {
      abort(error.what());
      throw;
    }
  }

  std::string doing(const char* before) const {
    return "polyq: rank " + shown(rank_) + ": " + before +
           (last_.number == 0 ? "making the communicator of size " + shown(size_) : text_of(last_));
  }
  std::string last_words() const {
    const std::string text = Api::last_error(comm_);
    return text.empty() ? "" : "; NCCL's last error: " + text;
  }
  static constexpr const char* nobody_named = "; NCCL does not say which rank is missing";

  [[noreturn]] void fail_late(const char* before, double waited) {
    fail({CommError::Kind::lost,
          doing(before) + text_of_wait(waited) + nobody_named + last_words()});
  }
  [[noreturn]] void fail_refused(const char* before, Result result) {
    const std::string text = doing(before) + ": " + Api::text_of(result);
    if (Api::is_own_fault(result)) fail({CommError::Kind::gave_up, text + last_words(), {rank_}});
    fail({CommError::Kind::lost, text + nobody_named + last_words()});
  }
  [[noreturn]] void fail(const CommError& error) {
    failure_ = error;
    drop();
    throw error;
  }
  void drop() noexcept {
    if (comm_ != Comm{}) aborting_.begin(std::exchange(comm_, Comm{}));
  }
  bool unwinds() const noexcept { return std::uncaught_exceptions() > exceptions_; }
  bool comes_to_rest() noexcept {
    Result result = Api::finalize(comm_);
    for (Turns turns(deadline_); result == Api::in_progress && turns.next();)
      result = Api::state(comm_);
    return result == Api::success;
  }

  int rank_, size_, local_rank_;
  Deadline deadline_;
  int exceptions_ = std::uncaught_exceptions();
  std::uint64_t run_ = 0;
  Call last_;
  std::optional<CommError> failure_;
  Comm comm_{};
  std::optional<typename Api::Block> block_, rest_;
  std::optional<typename Api::Event> event_;
  Aborting aborting_{deadline_};  // ends first: until then kernels may use the blocks
};

}  // namespace polyq::comm
