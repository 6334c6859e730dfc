// SPDX-License-Identifier: MIT
// RollCall: what ranks that share no memory tell each other when an operation fails, and what each
// concludes from it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "polyq/comm/call.hpp"

namespace polyq::comm {

/// One rank's side of a roll call. Every rank sends one notice in its life to each other, when it
/// fails, gives up or closes; who is silent is missing.
class RollCall {
 public:
  enum class Cause : std::uint32_t { failure, deadline, closing };
  /// Plain bytes, which travel between ranks.
  struct Notice {
    Call call;
    double waited = 0;  // seconds in that call
    Cause cause = Cause::failure;
    char reason[212] = {};
  };

  RollCall(int rank, int size) : rank_(rank), heard_(std::size_t(size)) {}

  /// A reason that is too long is cut.
  static Notice notice_of(const Standing& standing, double waited, Cause cause) {
    Notice notice{standing.call, waited, cause, {}};
    standing.reason.copy(notice.reason, sizeof notice.reason - 1);
    return notice;
  }
  void hear(int rank, Notice notice) {
    notice.reason[sizeof notice.reason - 1] = 0;
    heard_[rank] = notice;
  }
  /// Rank `rank` was met in another call than this rank's.
  void meet(int rank, const Call& call) { met_ = {rank, call}; }

  /// Whether all other ranks have sent their notice.
  bool heard_all() const {
    return std::count_if(heard_.begin(), heard_.end(),
                         [](const auto& notice) { return notice.has_value(); }) +
               1 ==
           std::ptrdiff_t(heard_.size());
  }
  /// Whether a rank has told what keeps `call` from being completed.
  bool concerns(const Call& call) const {
    return any([&](const Notice& notice) { return !done_with(notice, call.number); });
  }
  /// Whether a rank has told why.
  bool knows_why(const Call& call) const {
    const std::uint64_t latest = latest_of(call);
    return any(
        [&](const Notice& notice) { return !done_with(notice, latest) && notice.reason[0] != 0; });
  }

  /// The verdict by this rank's own notice, the same on every rank that heard the same. That a rank
  /// is a call ahead or behind is held against it last: a call ends for some ranks while others
  /// still wait in it. Where all answer and one ran into its deadline, the ranks that came only
  /// then are the missing ones. `trouble` is said where nobody is to blame.
  CommError verdict(const Notice& mine, const std::string& trouble) const {
    const Call& call = mine.call;
    const Ranks told = standings(call);
    Ranks ranks = told;
    for (int r = 0; r < int(ranks.size()); ++r)
      if (ranks[r] && ranks[r]->call.number != call.number && !(met_ && met_->rank == r))
        ranks[r]->call = call;
    if (!blames(ranks, call)) {
      for (int r = 0; r < int(ranks.size()); ++r)
        if (late(r, mine)) ranks[r].reset();
      if (!blames(ranks, call)) ranks = told;
    }
    if (blames(ranks, call)) return failure_of(rank_, call, ranks, mine.waited);
    return {CommError::Kind::lost,
            "polyq: rank " + shown(rank_) + ": " + text_of(call) + ": " + trouble};
  }

 private:
  using Ranks = std::vector<std::optional<Standing>>;
  struct Met {
    int rank;
    Call call;
  };

  template <class Test>
  bool any(Test test) const {
    return std::any_of(heard_.begin(), heard_.end(),
                       [&](const auto& notice) { return notice && test(*notice); });
  }
  /// A rank that closed behind call `number` has done its part of it.
  static bool done_with(const Notice& notice, std::uint64_t number) {
    return notice.cause == Cause::closing && notice.call.number >= number;
  }
  /// The number of the latest call that a rank is known to have begun.
  std::uint64_t latest_of(const Call& call) const {
    std::uint64_t latest = call.number;
    for (const auto& notice : heard_)
      if (notice) latest = std::max(latest, notice->call.number);
    return latest;
  }
  Ranks standings(const Call& call) const {
    Ranks ranks(heard_.size());
    const std::uint64_t latest = latest_of(call);
    for (int r = 0; r < int(ranks.size()); ++r) {
      if (!heard_[r]) continue;
      if (done_with(*heard_[r], latest))
        ranks[r] = {call, ""};
      else
        ranks[r] = {heard_[r]->call, heard_[r]->reason};
    }
    ranks[rank_] = {call, ""};
    if (met_ && (!ranks[met_->rank] || ranks[met_->rank]->reason.empty()))
      ranks[met_->rank] = {met_->call, ""};
    return ranks;
  }
  static bool blames(const Ranks& ranks, const Call& call) {
    return std::any_of(ranks.begin(), ranks.end(), [&](const auto& standing) {
      return !standing || !standing->reason.empty() || standing->call != call;
    });
  }
  /// Whether rank r came into its call when another had waited ten times as long, in vain.
  bool late(int r, const Notice& mine) const {
    double longest = mine.cause == Cause::deadline ? mine.waited : 0;
    for (const auto& notice : heard_)
      if (notice && notice->cause == Cause::deadline) longest = std::max(longest, notice->waited);
    return (r == rank_ ? mine : *heard_[r]).waited < longest / 10;
  }

  int rank_;
  std::vector<std::optional<Notice>> heard_;
  std::optional<Met> met_;
};

}  // namespace polyq::comm
