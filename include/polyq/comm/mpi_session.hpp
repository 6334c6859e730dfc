// SPDX-License-Identifier: MIT
// MpiSession: a process's part in an MPI job, from its beginning to an orderly or a forced end.
#pragma once
#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "polyq/core/error.hpp"

namespace polyq::comm {

/// Held by every communicator over MPI. If it began MPI, the last holder's end finalises it. Behind
/// a failure MPI_Finalize could wait for ever: then the job ends by MPI_Abort when this process
/// exits, with code 75 where starting again may help (EX_TEMPFAIL of sysexits), else with 2. At its
/// exit and no earlier, since an error's sentence is often said only when the handles are gone; .3
/// s behind it, so that the other ranks say theirs too. A process that exits while it holds a
/// communicator has failed as well.
class MpiSession {
 public:
  /// The session of MPI_COMM_WORLD. Throws CommError where MPI has been finalised.
  static std::shared_ptr<MpiSession> world() {
    static std::weak_ptr<MpiSession> current;
    std::shared_ptr<MpiSession> session = current.lock();
    if (!session) current = session = std::make_shared<MpiSession>();
    return session;
  }
  MpiSession() {
    int begun = 0, ended = 0;
    MPI_Initialized(&begun);
    MPI_Finalized(&ended);
    if (ended) throw CommError(CommError::Kind::gave_up, "polyq: MPI has been finalised");
    if (begun) return;
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    owns_ = open_ = true;
    std::atexit(end_job);
  }
  ~MpiSession() {
    if (!owns_ || exit_code_ != 0) return;
    open_ = false;
    MPI_Finalize();
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// Whether MPI began, and will end, here; else both are the user's.
  bool owns() const { return owns_; }
  /// From now on the job cannot end in order. The first failure chooses the exit code.
  void fail(CommError::Kind kind) noexcept {
    if (owns_ && exit_code_ == 0) exit_code_ = code_of(kind);
  }
  static int rank_of(MPI_Comm comm) {
    int rank = 0;
    check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    return rank;
  }
  static int size_of(MPI_Comm comm) {
    int size = 0;
    check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
    return size;
  }
  static int code_of(CommError::Kind kind) { return kind == CommError::Kind::lost ? 75 : 2; }

  static std::string text_of(int status) {
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(status, text, &length);
    return {text, std::size_t(length)};
  }
  /// Throws CommError unless `status` says success.
  static void check(int status, const char* what) {
    if (status == MPI_SUCCESS) return;
    throw CommError(CommError::Kind::lost, std::string("polyq: ") + what + ": " + text_of(status));
  }

 private:
  static void end_job() {
    if (!open_) return;
    if (exit_code_ == 0) {
      std::fprintf(stderr, "polyq: rank %d exits without closing its communicator\n",
                   rank_of(MPI_COMM_WORLD));
      exit_code_ = code_of(CommError::Kind::gave_up);
    }
    std::fflush(nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    MPI_Abort(MPI_COMM_WORLD, exit_code_);
  }

  static inline int exit_code_ = 0;
  static inline bool open_ = false;  // begun here and not finalised
  bool owns_ = false;
};

}  // namespace polyq::comm
