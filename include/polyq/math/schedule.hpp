// SPDX-License-Identifier: MIT
// Schedule: a number as a function of a count, the env steps where nothing else is said; a plain
// number is a constant.
#pragma once
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <tuple>

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

  auto fields() const { return std::tie(shape_, start_, end_, env_steps_); }

  POLYQ_HD float at(std::uint64_t env_steps) const {
    if (shape_ == Shape::constant) return end_;
    const float fraction = float(env_steps) / env_steps_;
    if (fraction >= 1) return end_;
    if (shape_ == Shape::linear) return start_ + (end_ - start_) * fraction;
    return start_ * std::exp(std::log(end_ / start_) * fraction);
  }

  /// Throws SettingsError unless both ends are finite and above 0; `field` is the setting's name.
  void check_positive(const std::string& field) const {
    for (const float value : {start_, end_})
      require(std::isfinite(value) && value > 0, field, value, "finite and > 0");
    check_shape(field);
  }
  /// Throws SettingsError unless both ends lie in [lowest, highest].
  void check_within(const std::string& field, float lowest, float highest) const {
    for (const float value : {start_, end_})
      require(value >= lowest && value <= highest, field, value,
              "[" + shown(lowest) + ", " + shown(highest) + "]");
    check_shape(field);
  }

 private:
  enum class Shape : std::uint8_t { constant, linear, exponential };
  constexpr Schedule(Shape shape, float start, float end, float env_steps)
      : shape_(shape), start_(start), end_(end), env_steps_(env_steps) {}

  void check_shape(const std::string& field) const {
    require(std::isfinite(env_steps_) && env_steps_ > 0, field + ", its env steps", env_steps_,
            "finite and > 0");
    if (shape_ == Shape::exponential)
      require(start_ > 0 && end_ > 0, field + ", exponential, its smaller end",
              start_ < end_ ? start_ : end_, "> 0");
  }

  Shape shape_;
  float start_, end_, env_steps_;
};

}  // namespace polyq::math
