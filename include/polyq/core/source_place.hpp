// SPDX-License-Identifier: MIT
// SourcePlace: where in the source a call stands, as std::source_location, which not every host
// compiler of a supported version has.
#pragma once
#include <string>

namespace polyq::core {

struct SourcePlace {
  const char* file;
  unsigned line;

  /// As a default argument: the place of the call.
  static constexpr SourcePlace current(const char* file = __builtin_FILE(),
                                       unsigned line = __builtin_LINE()) {
    return {file, line};
  }
  std::string text() const { return std::string(file) + ":" + std::to_string(line); }
};

}  // namespace polyq::core
