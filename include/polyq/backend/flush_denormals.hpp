// SPDX-License-Identifier: MIT
// FlushDenormals: floats below the smallest normal one count as zero, for a scope and a thread.
#pragma once
#include <cstdint>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "polyq/core/error.hpp"

namespace polyq::backend {

/// While it lives, numbers below the smallest normal float count as zero in this thread, where the
/// processor can do so.
class FlushDenormals {
 public:
#if defined(__SSE__)
  static constexpr bool available = true;
  explicit FlushDenormals(bool flush) : before_(_mm_getcsr()) {
    constexpr unsigned flush_results = 0x8000, flush_operands = 0x0040;
    if (flush) _mm_setcsr(before_ | flush_results | flush_operands);
  }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  static constexpr bool available = true;
  explicit FlushDenormals(bool flush) {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    constexpr std::uint64_t flush_to_zero = std::uint64_t{1} << 24;
    if (flush) asm volatile("msr fpcr, %0" : : "r"(before_ | flush_to_zero));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  std::uint64_t before_;
#else
  static constexpr bool available = false;
  explicit FlushDenormals(bool flush) {
    if (flush)
      throw SettingsError("EigenCpu.flush_denormals",
                          "polyq: EigenCpu.flush_denormals = true; allowed: false, since "
                          "this processor offers no such mode");
  }
#endif
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace polyq::backend
