// SPDX-License-Identifier: MIT
// MpiPeers: messages between the ranks of one MPI communicator, each rank's call in front of them,
// waiting that ends, and the roll call behind a failure.
#pragma once
#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "polyq/comm/call.hpp"
#include "polyq/comm/mpi_session.hpp"
#include "polyq/comm/roll_call.hpp"
#include "polyq/comm/transport.hpp"

namespace polyq::comm {

/// Belongs to one thread. Behind a failure, messages may still be under way from and to the spans
/// of the failed call, so it makes no more MPI calls.
class MpiPeers {
 public:
  /// Talks over a duplicate of `from`, which every rank of it makes. Throws CommError.
  MpiPeers(std::shared_ptr<MpiSession> session, MPI_Comm from, Deadline deadline)
      : session_(std::move(session)),
        rank_(MpiSession::rank_of(from)),
        size_(MpiSession::size_of(from)),
        deadline_(deadline),
        calls_(std::size_t(size_)),
        greeted_(std::size_t(size_)),
        roll_(rank_, size_) {
    duplicate(from);
  }
  /// Closes: waits for all ranks to do so. One that still calls is named on stderr.
  ~MpiPeers() { close(); }
  MpiPeers(const MpiPeers&) = delete;
  MpiPeers& operator=(const MpiPeers&) = delete;

  /// The messages from here on are `call`'s, and must have come within the deadline.
  void begin(const Call& call) {
    call_ = call;
    const auto before = std::exchange(began_, Clock::now());
    if (began_ - before > deadline_ / 2) listen_after_absence();
  }
  // Under 4096 bytes Open MPI sends between processes of a machine without asking the receiver
  // first: a sum of halves of 128 KB takes 70 us in such pieces and 85 us in messages of its own,
  // one of 1 MB 402 and 242 us.
  static constexpr std::size_t most_in_pieces = 128 << 10;

  /// Starts to send to rank `to`, who receives as many bytes in the same call, cut alike.
  void send(int to, std::span<const std::byte> bytes, std::size_t in_pieces_to = most_in_pieces) {
    greet(to);
    cut(bytes.size(), in_pieces_to, [&](std::size_t at, int count) {
      return MPI_Isend(bytes.data() + at, count, MPI_BYTE, to, payload_tag, comm_, next(moving_));
    });
  }
  /// Starts to receive from rank `from`.
  void receive(int from, std::span<std::byte> bytes, std::size_t in_pieces_to = most_in_pieces) {
    greet(from);
    cut(bytes.size(), in_pieces_to, [&](std::size_t at, int count) {
      return MPI_Irecv(bytes.data() + at, count, MPI_BYTE, from, payload_tag, comm_, next(moving_));
    });
  }
  /// Waits until all that was started has been sent and received. Throws CommError.
  void wait() {
    wait_for(greeting_);
    for (int r = 0; r < size_; ++r) {
      if (greeted_[r] != call_.number || calls_[r] == call_) continue;
      roll_.meet(r, calls_[r]);
      fail();
    }
    wait_for(moving_);
  }
  /// Tells the other ranks, once.
  void give_up(const Standing& standing) noexcept {
    failed_ = true;
    session_->fail(CommError::Kind::gave_up);
    tell(standing, RollCall::Cause::failure);
    for (const Clock::time_point begin = Clock::now(); Clock::now() - begin < telling_lasts;) {
      int done = 0;
      if (test(telling_, done) != MPI_SUCCESS || done) return;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Requests = std::vector<MPI_Request>;
  static constexpr int call_tag = 1, payload_tag = 2, notice_tag = 3;
  static constexpr Deadline roll_call_lasts{.5}, telling_lasts{.1};
  static constexpr std::size_t piece = 4'000, largest = 1 << 30;
  static constexpr int polls = 4'000, yields = 40'000;

  double waited() const { return Deadline(Clock::now() - began_).count(); }

  void duplicate(MPI_Comm from) {
    began_ = Clock::now();
    MPI_Request request = MPI_REQUEST_NULL;
    MpiSession::check(MPI_Comm_idup(from, &comm_, &request), "MPI_Comm_idup");
    for (int done = 0, turn = 0; !done; rest(turn++)) {
      MpiSession::check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Comm_idup");
      if (done || waited() <= deadline_.count()) continue;
      session_->fail(CommError::Kind::lost);
      throw CommError(CommError::Kind::lost, "polyq: rank " + shown(rank_) + ":" +
                                                 text_of_wait(waited()) +
                                                 " for all ranks to make their communicators");
    }
    MpiSession::check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }

  static MPI_Request* next(Requests& requests) { return &requests.emplace_back(MPI_REQUEST_NULL); }
  /// Exchanges the call with a partner, once a call.
  void greet(int partner) {
    if (std::exchange(greeted_[partner], call_.number) == call_.number) return;
    need(MPI_Irecv(&calls_[partner], sizeof(Call), MPI_BYTE, partner, call_tag, comm_,
                   next(greeting_)));
    need(MPI_Isend(&call_, sizeof(Call), MPI_BYTE, partner, call_tag, comm_, next(greeting_)));
  }
  template <class Start>
  void cut(std::size_t size, std::size_t in_pieces_to, Start start) {
    const std::size_t most = size <= in_pieces_to ? piece : largest;
    for (std::size_t at = 0; at < size; at += most) need(start(at, int(std::min(most, size - at))));
  }
  void need(int status) {
    if (status != MPI_SUCCESS) fail(RollCall::Cause::failure, MpiSession::text_of(status));
  }

  static int test(Requests& requests, int& done) {
    return MPI_Testall(int(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
  }
  void wait_for(Requests& requests) {
    for (int turn = 0;; ++turn) {
      int done = 0;
      need(test(requests, done));
      if (done) break;
      if (turn % 64 == 63) look_around();
      rest(turn);
    }
    requests.clear();
  }
  /// Spins at first, then leaves the core to others, at last sleeps less than what was waited.
  static void rest(int turn) {
    if (turn < polls) return;
    if (turn < yields)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  void look_around() {
    const Clock::time_point now = Clock::now();
    if (now - began_ > deadline_) fail(RollCall::Cause::deadline, "the deadline passed");
    if (now - listened_ < std::chrono::milliseconds(1)) return;
    listened_ = now;
    listen();
    if (roll_.concerns(call_)) fail();
  }
  /// Takes the notices that have come.
  void listen() {
    for (;;) {
      int come = 0;
      MPI_Status status;
      if (MPI_Iprobe(MPI_ANY_SOURCE, notice_tag, comm_, &come, &status) != MPI_SUCCESS || !come)
        return;
      RollCall::Notice notice;
      if (MPI_Recv(&notice, sizeof notice, MPI_BYTE, status.MPI_SOURCE, notice_tag, comm_,
                   MPI_STATUS_IGNORE) == MPI_SUCCESS)
        roll_.hear(status.MPI_SOURCE, notice);
    }
  }
  /// The others may have given this rank up, and what they sent before may wait here too: it must
  /// not complete a call with that.
  void listen_after_absence() {
    for (const Clock::time_point begin = Clock::now();
         Clock::now() - begin < std::chrono::milliseconds(2);)
      listen();
    if (roll_.concerns(call_)) fail();
  }

  void tell(const Standing& standing, RollCall::Cause cause) noexcept {
    if (!telling_.empty()) return;
    notice_ = RollCall::notice_of(standing, waited(), cause);
    for (int r = 0; r < size_; ++r)
      if (r != rank_)
        MPI_Isend(&notice_, sizeof notice_, MPI_BYTE, r, notice_tag, comm_, next(telling_));
  }
  [[noreturn]] void fail(RollCall::Cause cause = RollCall::Cause::failure,
                         const std::string& trouble = "") {
    const RollCall::Notice mine = RollCall::notice_of({call_, ""}, waited(), cause);
    tell({call_, ""}, cause);
    const Clock::time_point begin = Clock::now();
    while (!roll_.heard_all() && !roll_.knows_why(call_) &&
           Clock::now() - begin < roll_call_lasts) {
      listen();
      std::this_thread::yield();
    }
    const CommError error = roll_.verdict(mine, trouble);
    session_->fail(error.kind);
    failed_ = true;
    throw error;
  }

  /// Every rank tells every other that it closes; one that still calls learns at once that it will
  /// never be answered. Like MPI_Finalize it waits for the others, who may have work of their own
  /// to end; behind an exception only for those who end at the same time.
  void close() noexcept {
    if (failed_) return;
    const bool thrown = std::uncaught_exceptions() > 0;
    try {
      began_ = Clock::now();
      tell({call_, thrown ? "an exception ended it" : "it closed its communicator"},
           RollCall::Cause::closing);
      for (int turn = 0, told = 0; !told || !roll_.heard_all(); rest(turn++)) {
        need(test(telling_, told));
        listen();
        if (roll_.concerns(call_)) fail();
        if (thrown && Clock::now() - began_ > roll_call_lasts) {
          session_->fail(CommError::Kind::gave_up);
          failed_ = true;
          return;
        }
      }
      need(MPI_Comm_free(&comm_));
    } catch (const CommError& error) {
      std::fprintf(stderr, "%s (on closing)\n", error.what());
    }
  }

  std::shared_ptr<MpiSession> session_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_, size_;
  Deadline deadline_;
  Call call_;
  std::vector<Call> calls_;             // what each partner called
  std::vector<std::uint64_t> greeted_;  // in which call
  Requests greeting_, moving_, telling_;
  RollCall roll_;
  RollCall::Notice notice_;
  Clock::time_point began_, listened_;
  bool failed_ = false;
};

}  // namespace polyq::comm
