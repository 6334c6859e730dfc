// SPDX-License-Identifier: MIT
// Error and its kinds: what the library throws at its edges. Inner loops never throw.
#pragma once
#include <concepts>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace polyq {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A setting outside its range; the message names field, value and allowed range.
struct SettingsError : Error {
  SettingsError(std::string of, const std::string& message)
      : Error(message), field(std::move(of)) {}
  std::string field;  // as the message names it
};

/// A backend that cannot do what was asked: memory refused, a call that may not stand in a
/// recording.
struct DeviceError : Error {
  using Error::Error;
};

/// An environment that broke its promise; the message names environment, lane, env step and index.
struct EnvironmentError : Error {
  using Error::Error;
};

/// Learning that ran away: a value that is not finite or far beyond what the rewards allow.
struct DivergenceError : Error {
  using Error::Error;
};

/// Ranks that lost each other; the message names the operation, its number and, where they are
/// known, the ranks. Every later call on that communicator throws too.
struct CommError : Error {
  enum class Kind {
    lost,     // a rank or the way to it is gone: starting all ranks again may help
    differs,  // a rank runs other code, settings or data
    gave_up   // a rank ended by an error of its own
  };
  CommError(Kind k, const std::string& message, std::vector<int> of = {})
      : Error(message), kind(k), ranks(std::move(of)) {}
  Kind kind;
  std::vector<int> ranks;  // missing, differing or gone, as far as known
};

/// The value as a message shows it: words as they are, integers whole, floating numbers in up to
/// nine digits.
template <class Value>
std::string shown(const Value& value) {
  if constexpr (std::convertible_to<Value, std::string>) {
    return value;
  } else if constexpr (std::integral<Value>) {
    return std::to_string(value);
  } else {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", double(value));
    return text;
  }
}

/// Throws SettingsError unless `holds`.
template <class Value>
void require(bool holds, const std::string& field, const Value& value, const std::string& allowed) {
  if (holds) return;
  throw SettingsError(field, "polyq: " + field + " = " + shown(value) + "; allowed: " + allowed);
}

}  // namespace polyq
