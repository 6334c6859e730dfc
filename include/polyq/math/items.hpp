// SPDX-License-Identifier: MIT
// What teams do to the items of an array: read, clear, scale.
#pragma once
#include "polyq/core/config.hpp"

namespace polyq::math {

/// An array as a function of its index.
struct Element {
  const float* values;
  POLYQ_HD float operator()(int k) const { return values[k]; }
};

/// values[k] ← 0
struct Clear {
  float* values;
  POLYQ_HD void operator()(int k) const { values[k] = 0; }
};

/// values[k] ← values[k] · factor
struct Scale {
  float* values;
  float factor;
  POLYQ_HD void operator()(int k) const { values[k] *= factor; }
};

}  // namespace polyq::math
