// SPDX-License-Identifier: MIT
// LaneTeam: one worker that reduces in as many chains as a packet has lanes, so that compilers
// vectorise sums, whose order they may not change.
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
  template <class F, class Combine>
  static float reduce(int width, float start, F f, Combine combine) {
    float part[Lanes];
    for (float& chain : part) chain = start;
    const int whole = width / Lanes * Lanes;
    for (int k = 0; k < whole; k += Lanes)
      for (int lane = 0; lane < Lanes; ++lane) part[lane] = combine(part[lane], f(k + lane));
    for (int k = whole; k < width; ++k) part[k - whole] = combine(part[k - whole], f(k));
    for (int half = Lanes / 2; half > 0; half /= 2)
      for (int lane = 0; lane < half; ++lane) part[lane] = combine(part[lane], part[lane + half]);
    return part[0];
  }
};

}  // namespace polyq::backend
