// SPDX-License-Identifier: MIT
// Losses of a temporal-difference error: the value and its slope.
#pragma once
#include <concepts>
#include <tuple>

#include "polyq/core/config.hpp"
#include "polyq/core/error.hpp"

namespace polyq::math {

/// value and slope of an error, and check(), which throws SettingsError.
template <class L>
concept Loss = requires(const L& loss) {
  { loss.value(0.f) } -> std::same_as<float>;
  { loss.slope(0.f) } -> std::same_as<float>;
  loss.check();
};

/// δ², whose mean over a batch is PyTorch's mse_loss.
struct Squared {
  template <class V>
  POLYQ_HD V value(V error) const {
    return error * error;
  }
  template <class V>
  POLYQ_HD V slope(V error) const {
    return V(2) * error;
  }
  void check() const {}
};

/// |δ|, whose slope at 0 is 0.
struct Absolute {
  template <class V>
  POLYQ_HD V value(V error) const {
    return error < 0 ? -error : error;
  }
  template <class V>
  POLYQ_HD V slope(V error) const {
    return V(error > 0) - V(error < 0);
  }
  void check() const {}
};

/// Huber (1964), PyTorch's huber_loss: ½δ² within ±delta, a line beyond. For clipped rewards.
struct Huber {
  float delta = 1;

  template <class V>
  POLYQ_HD V value(V error) const {
    const V size = error < 0 ? -error : error;
    return size < V(delta) ? V(.5) * error * error : V(delta) * (size - V(.5) * V(delta));
  }
  template <class V>
  POLYQ_HD V slope(V error) const {
    return error < V(-delta) ? V(-delta) : error > V(delta) ? V(delta) : error;
  }
  auto fields() const { return std::tie(delta); }
  void check() const { require(delta > 0, "Huber.delta", delta, "> 0"); }
};

}  // namespace polyq::math
