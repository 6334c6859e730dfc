// SPDX-License-Identifier: MIT
// Adam (Kingma and Ba, 2015) in one pass over flat arrays of whole packets.
#pragma once
#include <cmath>

#include "packet.hpp"

namespace peers {

/// The moments of `Size` parameters; Size is a multiple of `lanes`.
template <int Size>
class Adam {
 public:
  void step(float* parameters, const float* gradient, float rate) {
    static_assert(Size % lanes == 0);
    constexpr float decay1 = 0.9f;
    constexpr float decay2 = 0.999f;
    power1_ *= decay1;
    power2_ *= decay2;
    // Both bias corrections are folded into the rate, so that the loop does not see them.
    const Packet corrected_rate = Packet::all(rate * std::sqrt(1 - power2_) / (1 - power1_));
    const Packet keep1 = Packet::all(decay1);
    const Packet take1 = Packet::all(1 - decay1);
    const Packet keep2 = Packet::all(decay2);
    const Packet take2 = Packet::all(1 - decay2);
    const Packet epsilon = Packet::all(1e-8f);
    for (int i = 0; i < Size; i += lanes) {
      const Packet slope = Packet::load(gradient + i);
      const Packet mean = multiply_add(keep1, Packet::load(mean_ + i), take1 * slope);
      const Packet square = multiply_add(keep2, Packet::load(square_ + i), take2 * (slope * slope));
      mean.store(mean_ + i);
      square.store(square_ + i);
      const Packet change = corrected_rate * mean / (square_root(square) + epsilon);
      (Packet::load(parameters + i) - change).store(parameters + i);
    }
  }

 private:
  alignas(64) float mean_[Size]{};
  alignas(64) float square_[Size]{};
  float power1_ = 1;
  float power2_ = 1;
};

}  // namespace peers
