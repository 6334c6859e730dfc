// SPDX-License-Identifier: MIT
// Schedule: a number as a function of the env steps; a plain number is a constant.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "polyq/core/config.hpp"
#include "polyq/core/error.hpp"

namespace polyq::math {

class Schedule {
 public:
  // Implicit, so that `.rate = 1e-3f` stays what a user writes.
  constexpr Schedule(float constant) : Schedule(Shape::constant, constant, constant, 1) {}

  /// A line from `start` to `end` over `env_steps`, `end` from then on.
  static constexpr Schedule linear(float start, float end, float env_steps) {
    return {Shape::linear, start, end, env_steps};
  }
  /// Equal factors in equal times, from `start` to `end` over `env_steps`; both above 0.
  static constexpr Schedule exponential(float start, float end, float env_steps) {
    return {Shape::exponential, start, end, env_steps};
  }

  POLYQ_HD float at(std::uint64_t env_steps) const {
    if (shape_ == Shape::constant) return end_;
    const float fraction = float(env_steps) / env_steps_;
    if (fraction >= 1) return end_;
    if (shape_ == Shape::linear) return start_ + (end_ - start_) * fraction;
    return start_ * std::exp(std::log(end_ / start_) * fraction);
  }

  /// Throws SettingsError unless both ends lie in [lowest, highest], or (lowest, highest] where
  /// `above`; `field` is the setting's name.
  void check(const char* field, float lowest, float highest, bool above = false) const {
    const std::string range =
        (above ? "(" : "[") + shown(lowest) + ", " + shown(highest) + "], finite";
    for (const float value : {start_, end_})
      require(
          std::isfinite(value) && (above ? value > lowest : value >= lowest) && value <= highest,
          field, value, range);
    const std::string name(field);
    require(std::isfinite(env_steps_) && env_steps_ > 0, (name + ", its env steps").c_str(),
            env_steps_, "finite and > 0");
    if (shape_ == Shape::exponential)
      require(start_ > 0 && end_ > 0, (name + ", exponential, its smaller end").c_str(),
              start_ < end_ ? start_ : end_, "> 0");
  }

 private:
  enum class Shape : std::uint8_t { constant, linear, exponential };
  constexpr Schedule(Shape shape, float start, float end, float env_steps)
      : shape_(shape), start_(start), end_(end), env_steps_(env_steps) {}

  Shape shape_;
  float start_, end_, env_steps_;
};

}  // namespace polyq::math
