// SPDX-License-Identifier: MIT
// LaneTeam: one worker that reduces in as many chains as a packet has lanes, at most eight, so that
// compilers vectorise sums, whose order they may not change.
#pragma once

namespace polyq::backend {

template <int Lanes>
struct LaneTeam {
  template <class F>
  void for_each(int width, F f) const {
    for (int k = 0; k < width; ++k) f(k);
  }
  template <class F>
  float sum(int width, F f) const {
    return reduce(width, 0.f, f, [](float a, float b) { return a + b; });
  }
  template <class F>
  float max(int width, F f) const {
    return reduce(width, f(0), f, [](float a, float b) { return b > a ? b : a; });
  }

 private:
  // Of 16, g++ and clang keep the last steps in memory, which takes up to three times as long.
  static constexpr int chains = Lanes < 8 ? Lanes : 8;

  template <class F, class Combine>
  static float reduce(int width, float start, F f, Combine combine) {
    float part[chains], rest = start;
    for (float& chain : part) chain = start;
    const int whole = width / chains * chains;
    for (int k = 0; k < whole; k += chains)
      for (int c = 0; c < chains; ++c) part[c] = combine(part[c], f(k + c));
    for (int k = whole; k < width; ++k) rest = combine(rest, f(k));
    for (int half = chains / 2; half > 0; half /= 2)
      for (int c = 0; c < half; ++c) part[c] = combine(part[c], part[c + half]);
    return combine(part[0], rest);
  }
};

}  // namespace polyq::backend
