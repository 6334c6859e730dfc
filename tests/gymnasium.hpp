// SPDX-License-Identifier: MIT
// Recordings of Gymnasium beside an environment of ours, step by step and in whole episodes. A
// `Traits` names the environment, Env, how many numbers its state has, and says state_of(numbers,
// steps) and distance(state, numbers).
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <polyq/env/concept.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace test {

/// A line of a recording.
template <int Numbers>
struct Recorded {
  int episode, step;
  double before[Numbers];
  int action;
  double reward;
  double after[Numbers];
  int terminated, truncated;
};

/// Of a file in tests/data.
template <int Numbers>
std::vector<Recorded<Numbers>> read_recording(const std::string& file, std::size_t count) {
  std::ifstream in(POLYQ_TEST_DATA "/" + file);
  std::vector<Recorded<Numbers>> steps;
  for (std::string line; std::getline(in, line);) {
    if (line[0] == '#') continue;
    std::istringstream from(line);
    Recorded<Numbers> r;
    from >> r.episode >> r.step;
    for (double& number : r.before) from >> number;
    from >> r.action >> r.reward;
    for (double& number : r.after) from >> number;
    from >> r.terminated >> r.truncated;
    REQUIRE(from);
    steps.push_back(r);
  }
  REQUIRE(steps.size() == count);
  return steps;
}

/// Each step alone, from the recorded state.
template <class Traits>
void check_each_step(const std::vector<Recorded<Traits::numbers>>& recording, double bound) {
  double worst = 0;
  int wrong_flags = 0, wrong_rewards = 0;
  for (const auto& r : recording) {
    auto state = Traits::state_of(r.before, r.step);
    const polyq::env::Outcome outcome = typename Traits::Env{}.step(state, r.action, {});
    worst = std::max(worst, Traits::distance(state, r.after));
    wrong_flags += outcome.terminated != bool(r.terminated);
    wrong_flags += outcome.truncated != bool(r.truncated);
    wrong_rewards += outcome.reward != r.reward;
    CHECK(state.steps == r.step + 1);
  }
  CHECK(worst <= bound);
  CHECK(wrong_flags == 0);
  CHECK(wrong_rewards == 0);
}

/// What came of the recorded actions, each episode started from its first recorded state.
struct Followed {
  int terminated = 0, truncated = 0;  // episodes
  int wrong = 0;                      // flags that are not the recorded ones
  double drift = 0;                   // the largest distance from a recorded state
};

template <class Traits>
Followed follow_episodes(const std::vector<Recorded<Traits::numbers>>& recording) {
  Followed followed;
  typename Traits::Env::State state{};
  for (const auto& r : recording) {
    if (r.step == 0) state = Traits::state_of(r.before, 0);
    const polyq::env::Outcome outcome = typename Traits::Env{}.step(state, r.action, {});
    followed.drift = std::max(followed.drift, Traits::distance(state, r.after));
    followed.wrong +=
        outcome.terminated != bool(r.terminated) || outcome.truncated != bool(r.truncated);
    followed.terminated += outcome.terminated;
    followed.truncated += outcome.truncated && !outcome.terminated;
  }
  return followed;
}

}  // namespace test
