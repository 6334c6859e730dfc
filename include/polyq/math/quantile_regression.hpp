// SPDX-License-Identifier: MIT
// Quantile regression (Koenker 2005; Dabney et al. 2018): a loss of the difference between a
// quantile and targets, weighed by how far the quantile's rank is on the difference's side.
#pragma once
#include "polyq/core/config.hpp"

namespace polyq::math {

/// The sums over targets of the loss of (target - quantile), each weighed by |tau - 1{it is below
/// 0}|, and of its slope by the quantile.
struct QuantileSums {
  float loss = 0, slope = 0;

  template <class Loss>
  POLYQ_HD void add(const Loss& of, float quantile, float tau, float target) {
    const float difference = target - quantile;
    const float weight = difference < 0 ? 1 - tau : tau;
    loss += weight * of.value(difference);
    slope -= weight * of.slope(difference);
  }
};

}  // namespace polyq::math
