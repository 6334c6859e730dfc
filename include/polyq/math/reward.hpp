// SPDX-License-Identifier: MIT
// RewardTransform: the reward that is learned from, scaled and then clipped. What is reported is
// always the environment's own.
#pragma once
#include <limits>
#include <tuple>

#include "polyq/core/config.hpp"
#include "polyq/core/error.hpp"

namespace polyq::math {

struct RewardTransform {
  float scale = 1;
  float clip = std::numeric_limits<float>::infinity();  // to ±clip, after scaling

  POLYQ_HD float operator()(float reward) const {
    const float scaled = reward * scale;
    return scaled < -clip ? -clip : scaled > clip ? clip : scaled;
  }
  auto fields() const { return std::tie(scale, clip); }

  /// Throws SettingsError.
  void check() const {
    require(scale > 0 && scale < std::numeric_limits<float>::infinity(), "RewardTransform.scale",
            scale, "finite and > 0");
    require(clip > 0, "RewardTransform.clip", clip, "> 0");
  }
};

}  // namespace polyq::math
