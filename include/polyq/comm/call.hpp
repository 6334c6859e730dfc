// SPDX-License-Identifier: MIT
// Call: one operation as every rank must call it, and the sentences about ranks that did not.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "polyq/core/error.hpp"

namespace polyq::comm {

enum class Operation : std::uint32_t { all_reduce_sum, all_gather, broadcast, agree, barrier };

inline const char* name_of(Operation operation) {
  constexpr const char* names[] = {"all_reduce_sum", "all_gather", "broadcast", "agree", "barrier"};
  return names[std::size_t(operation)];
}

/// Plain bytes, which travel between ranks.
struct Call {
  std::uint64_t number = 0;  // of the operations of a communicator, from 1
  Operation operation = Operation::barrier;
  std::uint32_t root = 0;   // of a broadcast
  std::uint64_t count = 0;  // of floats or words that a rank brings
  std::uint64_t run = 0;    // what the rank introduced
  bool operator==(const Call&) const = default;
};

/// "all_reduce_sum of 4610 floats (operation 17)"
inline std::string text_of(const Call& call) {
  std::string text = name_of(call.operation);
  if (call.operation != Operation::barrier)
    text +=
        " of " + shown(call.count) + (call.operation == Operation::agree ? " words" : " floats");
  if (call.operation == Operation::broadcast) text += " from rank " + shown(call.root);
  return text + " (operation " + shown(call.number) + ")";
}

/// " waited 60.001 s"
inline std::string text_of_wait(double seconds) {
  return " waited " + shown(std::round(seconds * 1e3) / 1e3) + " s";
}

/// Where a rank stands when an operation fails: in which call, and why it gave up, if it did.
struct Standing {
  Call call;
  std::string reason;
};

/// What a rank's own calls throw once it gave up.
inline CommError gave_up(int rank, const std::string& reason) {
  return {CommError::Kind::gave_up, "polyq: rank " + shown(rank) + " gave up: " + reason, {rank}};
}

/// What is wrong with rank `rank`'s call, by where the ranks stand; the unheard are missing. The
/// first of: a rank gave up; a rank runs or calls something else; ranks are missing.
inline CommError failure_of(int rank, const Call& call,
                            const std::vector<std::optional<Standing>>& ranks, double waited) {
  const std::string begin = "polyq: rank " + shown(rank) + ": " + text_of(call);
  std::vector<int> missing;
  std::string missing_text;
  for (int r = 0; r < int(ranks.size()); ++r) {
    if (ranks[r] && !ranks[r]->reason.empty())
      return {CommError::Kind::gave_up,
              begin + ": rank " + shown(r) + " gave up: " + ranks[r]->reason,
              {r}};
    if (!ranks[r]) {
      missing.push_back(r);
      missing_text += (missing_text.empty() ? " " : ", ") + shown(r);
    }
  }
  for (int r = 0; r < int(ranks.size()); ++r) {
    if (!ranks[r] || ranks[r]->call == call) continue;
    const bool other_run = ranks[r]->call.run != call.run;
    return {CommError::Kind::differs,
            begin + ": rank " + shown(r) +
                (other_run ? " runs another program or other settings; start every rank from the "
                             "same build with the same flags"
                           : " called " + text_of(ranks[r]->call) +
                                 "; every rank must call the same operations in the same order "
                                 "with the same sizes"),
            {r}};
  }
  if (std::count(missing.begin(), missing.end(), rank) > 0)
    return {CommError::Kind::lost,
            begin +
                " began beyond the deadline of the others; a rank that may be busy for so long "
                "needs a longer one",
            missing};
  return {CommError::Kind::lost,
          begin + text_of_wait(waited) + "; missing: rank" + (missing.size() == 1 ? "" : "s") +
              missing_text + ", stopped, unreachable or busy for longer than the deadline",
          missing};
}

}  // namespace polyq::comm
