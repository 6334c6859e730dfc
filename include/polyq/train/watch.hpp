// SPDX-License-Identifier: MIT
// Watch: looks at a run at each chunk's end: episodes, the largest value beside its bound, and
// whether environment or learning went wrong.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "polyq/core/error.hpp"
#include "polyq/math/finite.hpp"
#include "polyq/train/observer.hpp"

namespace polyq {

/// The largest |Q| that discounted rewards allow: r_max / (1 − γ).
inline float value_bound(float largest_reward, float discount) {
  return discount < 1 ? largest_reward / (1 - discount) : std::numeric_limits<float>::infinity();
}

/// A run has diverged when |Q| is not finite or over a hundred times its bound; a bound of 0, when
/// no reward was seen yet, says nothing.
inline bool has_diverged(float largest_value, float bound) {
  return !math::is_finite(largest_value) || (bound > 0 && largest_value > 100 * bound);
}

/// Throws DivergenceError when the chunk shows it.
inline void refuse_divergence(const Chunk& chunk) {
  if (!has_diverged(chunk.largest_value, chunk.value_bound)) return;
  throw DivergenceError(
      "polyq: learning diverged by env step " + shown(chunk.env_steps) +
      ": largest |Q| = " + shown(chunk.largest_value) +
      "; allowed: up to 100 times r_max / (1 - discount) = " + shown(chunk.value_bound) +
      "; lower the learning rate or copy the target more slowly");
}

template <class Agent, class Actor>
class Watch {
 public:
  /// `name` is the environment's, for messages.
  Watch(Agent& agent, Actor& actor, const char* name)
      : agent_(&agent), actor_(&actor), name_(name) {}

  /// Looks at rows [first, last), the chunk's; `updated`: whether a batch was learned from. Waits.
  /// Throws EnvironmentError. The chunk's episodes live until the next look.
  Chunk look(std::uint64_t first, std::uint64_t last, bool updated) {
    actor_->download_lanes(lanes_);
    for (std::size_t e = 0; e < lanes_.size(); ++e) {
      lanes_[e].refuse(name_, e);
      agent_->meet_reward(lanes_[e].largest_reward);
    }
    episodes_.clear();
    actor_->download_episodes(first, last, episodes_);
    for (const EpisodeEnd& end : episodes_) window_[ended_++ % window_.size()] = end.episode_return;

    Chunk chunk{};
    chunk.exploration = agent_->settings().exploration.at(last);
    chunk.training_return = training_return();
    chunk.episodes = episodes_;
    chunk.value_bound = value_bound(agent_->largest_reward(), agent_->settings().discount);
    chunk.largest_value = updated ? largest_value() : 0;
    return chunk;
  }
  std::uint64_t episodes() const { return ended_; }

  /// Mean of the last 100 training episodes; NaN before the first ended.
  double training_return() const {
    const std::size_t count = std::min<std::uint64_t>(ended_, window_.size());
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += window_[i];
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / double(count);
  }

 private:
  /// By the parameters as they are now; NaN where any value is not finite.
  float largest_value() {
    constexpr int stride = Agent::template Outputs<Agent::B>::stride;
    std::array<float, Agent::A> room;
    outputs_.resize(std::size_t(stride) * Agent::B);
    agent_->enqueue_values();
    agent_->machine().download(outputs_.data(), agent_->now().data, outputs_.size());
    float largest = 0;
    for (int b = 0; b < Agent::B; ++b) {
      const float* values = agent_->rule().template values<Agent::A>(
          outputs_.data() + std::size_t(b) * stride, room.data());
      for (int a = 0; a < Agent::A; ++a) {
        if (!math::is_finite(values[a])) return std::numeric_limits<float>::quiet_NaN();
        largest = std::max(largest, std::abs(values[a]));
      }
    }
    return largest;
  }

  Agent* agent_;
  Actor* actor_;
  const char* name_;
  std::vector<Lane> lanes_;
  std::vector<EpisodeEnd> episodes_;
  std::vector<float> outputs_;
  std::array<double, 100> window_{};
  std::uint64_t ended_ = 0;
};

}  // namespace polyq
