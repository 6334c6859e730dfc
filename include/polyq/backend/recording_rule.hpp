// SPDX-License-Identifier: MIT
// RecordingRule: neither what allocates or waits nor a second recording may stand inside a
// recording, on any machine, so that what is wrong on a GPU is wrong on a CPU too.
#pragma once
#include <string>

#include "polyq/core/error.hpp"

namespace polyq::backend {

class RecordingRule {
 public:
  RecordingRule() = default;
  RecordingRule(const RecordingRule&) = delete;  // recordings hold their machine's address
  RecordingRule& operator=(const RecordingRule&) = delete;

 protected:
  /// Marks the machine as recording for its own lifetime.
  class RecordingScope {
   public:
    explicit RecordingScope(RecordingRule& machine) : machine_(machine) {
      machine.refuse_in_recording("a second recording");
      machine.in_recording_ = true;
    }
    ~RecordingScope() { machine_.in_recording_ = false; }
    RecordingScope(const RecordingScope&) = delete;
    RecordingScope& operator=(const RecordingScope&) = delete;

   private:
    RecordingRule& machine_;
  };

  /// Throws DeviceError inside a recording.
  void refuse_in_recording(const char* what) const {
    if (in_recording_)
      throw DeviceError("polyq: " + std::string(what) +
                        " inside a recording; do it before or after");
  }

 private:
  bool in_recording_ = false;
};

}  // namespace polyq::backend
