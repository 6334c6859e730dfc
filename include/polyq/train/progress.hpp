// SPDX-License-Identifier: MIT
// Progress: an observer that shows how far a run is: tqdm's bar on a terminal, else a line every
// few seconds.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "polyq/train/observer.hpp"

namespace polyq {

class Progress {
 public:
  /// `terminal`: whether `out` shows a bar that is drawn over itself.
  Progress(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void on_chunk(const Chunk& chunk) {
    warn(chunk);
    const bool last = chunk.env_steps >= chunk.total_env_steps;
    const double pause = terminal_ ? .1 : 5;
    if (!last && drawn_ && chunk.seconds - drawn_at_ < pause) return;
    if (!last && !drawn_ && !terminal_ && chunk.seconds < pause) return;
    std::fprintf(out_, terminal_ ? "\r%s\x1b[K" : "%s\n", line(chunk).c_str());
    std::fflush(out_);
    drawn_ = true;
    drawn_at_ = chunk.seconds;
  }

  /// Ends the bar's line, so that what follows begins a line of its own.
  void finish() {
    if (terminal_ && drawn_) std::fputc('\n', out_);
    drawn_ = false;
  }

  /// tqdm's line, with the training return, ε, and the largest |Q| beside its bound:
  /// ` 42%|####      | 21000/50000 [00:08<00:11, 2541.30it/s, return=195.3, …, |Q|=90/100]`
  static std::string line(const Chunk& chunk) {
    const double part = double(chunk.env_steps) / double(chunk.total_env_steps);
    const double rate = chunk.seconds > 0 ? double(chunk.env_steps) / chunk.seconds : 0;
    const double left = rate > 0 ? double(chunk.total_env_steps - chunk.env_steps) / rate : 0;
    constexpr int width = 10;
    const int filled = int(part * width);
    std::string bar(std::size_t(filled), '#');
    bar.resize(width, ' ');
    char text[256];
    std::snprintf(text, sizeof text,
                  "%3d%%|%s| %llu/%llu [%s<%s, %.2fit/s, return=%.1f, epsilon=%.3g, "
                  "|Q|=%.3g/%.3g]",
                  int(part * 100), bar.c_str(), static_cast<unsigned long long>(chunk.env_steps),
                  static_cast<unsigned long long>(chunk.total_env_steps),
                  clock(chunk.seconds).c_str(), clock(left).c_str(), rate, chunk.training_return,
                  double(chunk.exploration), double(chunk.largest_value),
                  double(chunk.value_bound));
    return text;
  }

 private:
  static std::string clock(double seconds) {
    const auto whole = static_cast<long long>(seconds);
    char text[32];
    if (whole >= 3600)
      std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                    whole % 60);
    else
      std::snprintf(text, sizeof text, "%02lld:%02lld", whole / 60, whole % 60);
    return text;
  }
  void warn(const Chunk& chunk) {
    if (warned_ || !(chunk.value_bound > 0) || chunk.largest_value <= 2 * chunk.value_bound) return;
    finish();
    std::fprintf(out_,
                 "warning: largest |Q| = %.3g at env step %llu is over twice what the rewards "
                 "allow, r_max / (1 - discount) = %.3g\n",
                 double(chunk.largest_value), static_cast<unsigned long long>(chunk.env_steps),
                 double(chunk.value_bound));
    warned_ = true;
  }

  std::FILE* out_;
  bool terminal_, drawn_ = false, warned_ = false;
  double drawn_at_ = 0;
};

}  // namespace polyq
