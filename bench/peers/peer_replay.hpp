// SPDX-License-Identifier: MIT
// A peer inside the benchmarks' protocol: uniform replay, gather, update, target copy.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "reference.hpp"

namespace peers {

struct PeerSettings {
  float discount = 0.99f;
  float rate = 2.5e-4f;
  int target_period_updates = 500;
  std::uint64_t seed = 1;
};

/// A full ring of transitions as a structure of arrays, B of which are drawn for each update.
template <class Peer>
class PeerTrainer {
 public:
  static constexpr int capacity = 10'000;

  explicit PeerTrainer(PeerSettings settings = {})
      : settings_(settings),
        observations_(capacity * Peer::In),
        next_observations_(capacity * Peer::In),
        actions_(capacity),
        rewards_(capacity, 1.f),
        continues_(capacity),
        peer_(std::make_unique<Peer>()) {
    SignedUniform uniform(3);
    for (float& number : observations_) number = uniform(1.f);
    for (float& number : next_observations_) number = uniform(1.f);
    for (int i = 0; i < capacity; ++i) {
      actions_[i] = uniform.below(Peer::Out);
      continues_[i] = i % 17 == 0 ? 0.f : 1.f;
    }
  }

  void update() {
    sample();
    peer_->update(settings_.discount, settings_.rate);
    ++updates_;
    if (updates_ % settings_.target_period_updates == 0) peer_->copy_target();
  }

  /// Draws and gathers the next batch; public, so that its share can be measured.
  void sample() {
    std::uint32_t rows[Peer::B];
    draw_rows(rows);
    constexpr std::size_t row_bytes = sizeof(float) * Peer::In;
    for (int b = 0; b < Peer::B; ++b) {
      const std::size_t row = rows[b];
      const std::size_t first = row * Peer::In;
      std::memcpy(peer_->observations + b * Peer::In, &observations_[first], row_bytes);
      std::memcpy(peer_->next_observations + b * Peer::In, &next_observations_[first], row_bytes);
      peer_->actions[b] = actions_[row];
      peer_->rewards[b] = rewards_[row];
      peer_->continues[b] = continues_[row];
    }
  }

  Peer& peer() { return *peer_; }

 private:
  /// Philox 4x32-10 (Salmon et al., SC 2011), four indices of the ring to a block. Blocks do not
  /// depend on one another, so that the compiler may run several of them in one vector.
  void draw_rows(std::uint32_t* rows) const {
    static_assert(Peer::B % 4 == 0);
    for (int block = 0; block < Peer::B / 4; ++block) {
      std::uint32_t counter0 = static_cast<std::uint32_t>(updates_);
      std::uint32_t counter1 = static_cast<std::uint32_t>(updates_ >> 32);
      std::uint32_t counter2 = static_cast<std::uint32_t>(block);
      std::uint32_t counter3 = 0;
      std::uint32_t key0 = static_cast<std::uint32_t>(settings_.seed);
      std::uint32_t key1 = static_cast<std::uint32_t>(settings_.seed >> 32);
      for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter0;
        const std::uint64_t product2 = std::uint64_t{0xCD9E8D57u} * counter2;
        counter0 = static_cast<std::uint32_t>(product2 >> 32) ^ counter1 ^ key0;
        counter2 = static_cast<std::uint32_t>(product0 >> 32) ^ counter3 ^ key1;
        counter1 = static_cast<std::uint32_t>(product2);
        counter3 = static_cast<std::uint32_t>(product0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
      }
      rows[4 * block] = below_capacity(counter0);
      rows[4 * block + 1] = below_capacity(counter1);
      rows[4 * block + 2] = below_capacity(counter2);
      rows[4 * block + 3] = below_capacity(counter3);
    }
  }

  /// The high word of a product is uniform up to capacity / 2^32, and needs no division.
  static std::uint32_t below_capacity(std::uint32_t word) {
    return static_cast<std::uint32_t>((std::uint64_t{word} * capacity) >> 32);
  }

  PeerSettings settings_;
  std::vector<float> observations_;
  std::vector<float> next_observations_;
  std::vector<int> actions_;
  std::vector<float> rewards_;
  std::vector<float> continues_;  // 0 where the episode ended, else 1
  std::unique_ptr<Peer> peer_;
  std::uint64_t updates_ = 0;
};

}  // namespace peers
