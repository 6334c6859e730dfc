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
#include "polyq/dqn/agreement.hpp"
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

  /// Looks at rows [first, last) of every shard of the run, the chunk's; `updated`: whether batches
  /// were learned from. The same on all ranks. Waits. The chunk's episodes live until the next
  /// look.
  Chunk look(std::uint64_t first, std::uint64_t last, bool updated) {
    gather(first, last, updated);
    Chunk chunk{};
    for (const Lane& lane : lanes_) agent_->meet_reward(lane.largest_reward);
    std::erase_if(episodes_, [](const EpisodeEnd& end) { return end.length == 0; });
    for (const EpisodeEnd& end : episodes_) window_[ended_++ % window_.size()] = end.episode_return;
    for (const double value : largest_values_)
      if (value > chunk.largest_value || std::isnan(value)) chunk.largest_value = float(value);
    chunk.exploration = agent_->exploration().at(last * shard_count());
    chunk.training_return = training_return();
    chunk.episodes = episodes_;
    chunk.value_bound = value_bound(agent_->largest_reward(), agent_->settings().discount);
    return chunk;
  }
  /// Throws EnvironmentError, on all ranks, when the last look found that an environment broke its
  /// promise.
  void refuse_faults() const {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) lanes_[lane].refuse(name_, lane);
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
  static constexpr std::uint64_t N = Actor::N;
  std::uint64_t shard_count() const { return std::uint64_t(agent_->sharding().shards); }

  /// Fills lanes_ [V·N], episodes_, by env step, and largest_values_ [V] of all shards.
  void gather(std::uint64_t first, std::uint64_t last, bool updated) {
    const std::uint64_t V = shard_count();
    lanes_.assign(V * N, {});
    episodes_.assign((last - first) * V, {});
    largest_values_.assign(V, 0);
    for (int i = 0; i < agent_->sharding().hosted; ++i) {
      auto& shard = agent_->shards()[i];
      const std::uint64_t number = std::uint64_t(shard.number());
      const auto env_step = [&](std::uint64_t row) {
        return row / N * N * V + number * N + row % N;
      };
      actor_->shards()[i].download_lanes(fetched_lanes_);
      for (Lane& lane : fetched_lanes_) lane.fault_row = env_step(lane.fault_row);
      std::copy(fetched_lanes_.begin(), fetched_lanes_.end(), lanes_.begin() + number * N);
      actor_->shards()[i].download_episodes(first, last, fetched_episodes_);
      for (std::uint64_t row = first; row < last; ++row)
        episodes_[env_step(row) - first * V] = fetched_episodes_[row - first];
      if (updated) largest_values_[number] = largest_value(shard);
    }
    const Sharding& sharding = agent_->sharding();
    const auto is_mine = [&](std::uint64_t shard) {
      return shard >= std::uint64_t(sharding.first) &&
             shard < std::uint64_t(sharding.first + sharding.hosted);
    };
    share(agent_->comm(), lanes_, [&](std::uint64_t lane) { return is_mine(lane / N); });
    share(agent_->comm(), episodes_, [&](std::uint64_t step) { return is_mine(step / N % V); });
    share(agent_->comm(), largest_values_, is_mine);
  }
  /// |Q| in the shard's batch by the parameters as they are now; NaN where any is not finite.
  float largest_value(typename Agent::ShardType& shard) {
    constexpr int stride = Agent::template Outputs<Agent::B>::stride;
    std::array<float, Agent::A> room;
    outputs_.resize(std::size_t(stride) * Agent::B);
    agent_->enqueue_values(shard);
    agent_->machine().download(outputs_.data(), shard.now().data, outputs_.size());
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
  std::vector<Lane> lanes_, fetched_lanes_;
  std::vector<EpisodeEnd> episodes_, fetched_episodes_;
  std::vector<double> largest_values_;
  std::vector<float> outputs_;
  std::array<double, 100> window_{};
  std::uint64_t ended_ = 0;
};

}  // namespace polyq
