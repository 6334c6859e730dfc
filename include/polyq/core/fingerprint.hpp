// SPDX-License-Identifier: MIT
// Fingerprint: one number of a program and its settings, by which ranks know that they run the
// same.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "polyq/core/config.hpp"

namespace polyq::core {

/// The compiler's own text of T, which differs between compilers too.
template <class T>
constexpr std::string_view type_text() {
  return __PRETTY_FUNCTION__;
}

/// FNV-1a over what is added, in order.
class Fingerprint {
 public:
  /// Begins with the library's version and the compiler.
  Fingerprint() {
    add(std::string_view(__VERSION__));
    add(POLYQ_VERSION_MAJOR, POLYQ_VERSION_MINOR, POLYQ_VERSION_PATCH);
  }

  /// Numbers, texts, optionals and whatever names its fields(), by value; of other types the type.
  template <class... Values>
  Fingerprint& add(const Values&... values) {
    (add_one(values), ...);
    return *this;
  }
  std::uint64_t value() const { return hash_; }

 private:
  template <class T>
  void add_one(const T& value) {
    if constexpr (std::convertible_to<const T&, std::string_view>) {
      for (const char letter : std::string_view(value)) add_byte(std::byte(letter));
      add_byte({});
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      for (const std::byte byte : std::as_bytes(std::span(&value, 1))) add_byte(byte);
    } else if constexpr (requires { value.has_value(); }) {
      add_one(value.has_value());
      if (value) add_one(*value);
    } else if constexpr (requires { value.fields(); }) {
      add_one(type_text<T>());
      std::apply([this](const auto&... fields) { this->add(fields...); }, value.fields());
    } else {
      add_one(type_text<T>());
    }
  }
  void add_byte(std::byte byte) { hash_ = (hash_ ^ std::uint64_t(byte)) * 0x100000001b3u; }

  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace polyq::core
