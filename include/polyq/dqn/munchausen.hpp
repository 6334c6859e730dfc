// SPDX-License-Identifier: MIT
// Munchausen: Q-learning with the scaled logarithm of its own softmax policy added to the reward
// (Vieillard et al. 2020), both policies from the target network.
#pragma once
#include <limits>
#include <tuple>

#include "polyq/core/error.hpp"
#include "polyq/dqn/rule.hpp"
#include "polyq/math/softmax.hpp"

namespace polyq::rule {

template <class Loss = math::Squared>
struct Munchausen {
  static_assert(math::Loss<Loss>,
                "polyq::rule::Munchausen: its argument is not a loss; math::Squared is one");
  static constexpr bool reads_online_next = false, reads_target_now = true, one_step = true;
  template <class Network>
  static constexpr bool accepts = OfValues<Loss>::template accepts<Network>;

  float temperature = .03f;      // τ of the policy softmax(Q / τ)
  float scaling = .9f;           // of the logarithm in the reward
  float lowest_log_policy = -1;  // to which τ log π is clipped
  Loss loss = {};

  auto fields() const { return std::tie(temperature, scaling, lowest_log_policy, loss); }

  /// Throws SettingsError.
  void check() const {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    require(temperature > 0 && temperature < infinity, "Munchausen.temperature", temperature,
            "finite and > 0");
    require(scaling >= 0 && scaling <= 1, "Munchausen.scaling", scaling, "[0, 1]");
    require(lowest_log_policy <= 0 && lowest_log_policy > -infinity, "Munchausen.lowest_log_policy",
            lowest_log_policy, "finite and <= 0");
    loss.check();
  }

  template <int A>
  POLYQ_HD static const float* values(const float* output, float* /*room*/) {
    return output;
  }
  template <int A>
  POLYQ_HD float learn(const Sample& s, float scale, float* gradient) const {
    // τ log π(a|s) = Q(s, a) − τ log Σ exp(Q(s, ·) / τ)
    const auto now = math::soft_maximum(s.now_target, A, temperature, s.legal);
    const float log_policy = s.now_target[s.action] - now.largest - now.above;
    const float clipped = log_policy < lowest_log_policy ? lowest_log_policy
                          : log_policy > 0               ? 0.f
                                                         : log_policy;
    // Σ π(a|s′) (Q(s′, a) − τ log π(a|s′)) = τ log Σ exp(Q(s′, ·) / τ)
    const float soft = math::soft_maximum(s.next, A, temperature, s.legal_next).value();
    const float target = s.reward + scaling * clipped + s.discount * soft;
    const float error = s.now[s.action] - target;
    const float slope = scale * loss.slope(error);
    for (int a = 0; a < A; ++a) gradient[a] = a == s.action ? slope : 0.f;
    return error;
  }
};

}  // namespace polyq::rule
