// SPDX-License-Identifier: MIT
// The environments' peers: for each a plain loop over its lanes, written for it alone. Each keeps
// its numbers in arrays, writes the observation after any reset, the reward and one flag, and
// draws its resets by Philox.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/core/random.hpp>

namespace peers {

/// What the loops share: the steps of each episode and the draws of the next.
template <int N>
struct Episodes {
  std::uint64_t env_steps = 0;
  int steps[N]{};
  float rewards[N]{};
  bool ended[N]{};

  polyq::core::Words start(int lane) {
    steps[lane] = 0;
    return polyq::core::philox(1, polyq::core::Stream::environment_reset, env_steps,
                               std::uint32_t(lane));
  }
  static float within(std::uint32_t word, float low, float high) {
    return polyq::core::uniform(word) * (high - low) + low;
  }
};

template <int N>
struct CartPoleLoop : Episodes<N> {
  float x[N]{}, v[N]{}, angle[N]{}, rate[N]{};  // observed as they are

  void step(const std::int32_t* actions) {
    for (int e = 0; e < N; ++e) {
      const float s = std::sin(angle[e]), c = std::cos(angle[e]);
      const float push = ((actions[e] == 1 ? 10.f : -10.f) + .05f * rate[e] * rate[e] * s) / 1.1f;
      const float turn = (9.8f * s - c * push) / (.5f * (4.f / 3 - .1f / 1.1f * c * c));
      x[e] += .02f * v[e];
      v[e] += .02f * (push - .05f / 1.1f * turn * c);
      angle[e] += .02f * rate[e];
      rate[e] += .02f * turn;
      this->rewards[e] = 1;
      this->ended[e] =
          std::abs(x[e]) > 2.4f || std::abs(angle[e]) > .20943951f || ++this->steps[e] >= 500;
      if (!this->ended[e]) continue;
      const auto words = this->start(e);
      float* const to[] = {&x[e], &v[e], &angle[e], &rate[e]};
      for (int i = 0; i < 4; ++i) *to[i] = this->within(words.word[i], -.05f, .05f);
    }
    this->env_steps += N;
  }
};

template <int N>
struct MountainCarLoop : Episodes<N> {
  float x[N]{}, v[N]{};

  void step(const std::int32_t* actions) {
    for (int e = 0; e < N; ++e) {
      v[e] += .001f * float(actions[e] - 1) - .0025f * std::cos(3 * x[e]);
      v[e] = std::clamp(v[e], -.07f, .07f);
      x[e] = std::clamp(x[e] + v[e], -1.2f, .6f);
      if (x[e] == -1.2f) v[e] = std::max(v[e], 0.f);
      this->rewards[e] = -1;
      this->ended[e] = x[e] >= .5f || ++this->steps[e] >= 200;
      if (!this->ended[e]) continue;
      x[e] = this->within(this->start(e).word[0], -.6f, -.4f);
      v[e] = 0;
    }
    this->env_steps += N;
  }
};

template <int N>
struct AcrobotLoop : Episodes<N> {
  float angle1[N]{}, angle2[N]{}, rate1[N]{}, rate2[N]{}, observed[N][6]{};

  void step(const std::int32_t* actions) {
    constexpr float pi = 3.14159265f, part[] = {0, .1f, .1f, .2f}, weight[] = {1, 2, 2, 1};
    for (int e = 0; e < N; ++e) {
      const float from[] = {angle1[e], angle2[e], rate1[e], rate2[e]};
      float slope[4]{}, sum[4]{};
      for (int stage = 0; stage < 4; ++stage) {
        float now[4];
        for (int i = 0; i < 4; ++i) now[i] = from[i] + part[stage] * slope[i];
        const float s = std::sin(now[1]), c = std::cos(now[1]);
        const float d1 = 3.5f + c, d2 = 1.25f + .5f * c, w = 4.9f * std::sin(now[0] + now[1]);
        const float f = w + 14.7f * std::sin(now[0]) - .5f * s * now[3] * (now[3] + 2 * now[2]);
        const float push = float(actions[e] - 1) - .5f * s * now[2] * now[2] - w;
        const float over = 1 / (1.25f * d1 - d2 * d2);
        slope[3] = (d1 * push + d2 * f) * over;
        slope[2] = -(d2 * push + 1.25f * f) * over;
        slope[0] = now[2];
        slope[1] = now[3];
        for (int i = 0; i < 4; ++i) sum[i] += weight[stage] * slope[i];
      }
      const auto turned = [&](int i) {
        const float angle = from[i] + .2f / 6 * sum[i];
        return angle > pi ? angle - 2 * pi : angle < -pi ? angle + 2 * pi : angle;
      };
      const auto limited = [&](int i, float most) {
        return std::clamp(from[i] + .2f / 6 * sum[i], -most, most);
      };
      angle1[e] = turned(0);
      angle2[e] = turned(1);
      rate1[e] = limited(2, 4 * pi);
      rate2[e] = limited(3, 9 * pi);
      const bool up = -std::cos(angle1[e]) - std::cos(angle1[e] + angle2[e]) > 1;
      this->rewards[e] = up ? 0 : -1;
      this->ended[e] = up || ++this->steps[e] >= 500;
      if (this->ended[e]) {
        const auto words = this->start(e);
        float* const to[] = {&angle1[e], &angle2[e], &rate1[e], &rate2[e]};
        for (int i = 0; i < 4; ++i) *to[i] = this->within(words.word[i], -.1f, .1f);
      }
      float* const out = observed[e];
      out[0] = std::cos(angle1[e]);
      out[1] = std::sin(angle1[e]);
      out[2] = std::cos(angle2[e]);
      out[3] = std::sin(angle2[e]);
      out[4] = rate1[e];
      out[5] = rate2[e];
    }
    this->env_steps += N;
  }
};

}  // namespace peers
