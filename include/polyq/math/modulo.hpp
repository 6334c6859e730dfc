// SPDX-License-Identifier: MIT
// Modulo: x mod n by multiplication with n's inverse (Barrett 1986), since a device divides 64-bit
// numbers by a subroutine.
#pragma once
#include <cstdint>

#include "polyq/core/config.hpp"

namespace polyq::math {

class Modulo {
 public:
  /// n >= 1. Implicit, so that a number says what is meant.
  constexpr Modulo(std::uint64_t n) : n_(n), inverse_(~std::uint64_t{0} / n) {}

  POLYQ_HD std::uint64_t operator()(std::uint64_t x) const {
    // inverse > 2^64 / n - 1, so that the quotient is x / n or one less.
    const std::uint64_t quotient = std::uint64_t((Wide(x) * inverse_) >> 64);
    const std::uint64_t rest = x - quotient * n_;
    return rest < n_ ? rest : rest - n_;
  }
  POLYQ_HD std::uint64_t n() const { return n_; }

 private:
  __extension__ typedef unsigned __int128 Wide;
  std::uint64_t n_, inverse_;
};

}  // namespace polyq::math
