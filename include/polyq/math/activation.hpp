// SPDX-License-Identifier: MIT
// Activations over any value type V (float, double, a packet): the value, and a gradient pulled
// back from the output. Each maps 0 to 0, so that pads stay zero.
#pragma once
#include <cmath>

#include "polyq/core/config.hpp"

namespace polyq::math {

// What a packet type overloads beside + - * /, found by argument-dependent lookup. The maximum is a
// where a is NaN, so that ReLU hides none.
POLYQ_HD inline float maximum(float a, float b) { return a < b ? b : a; }
POLYQ_HD inline double maximum(double a, double b) { return a < b ? b : a; }
POLYQ_HD inline float where_positive(float test, float value) { return test > 0 ? value : 0; }
POLYQ_HD inline double where_positive(double test, double value) { return test > 0 ? value : 0; }
POLYQ_HD inline float square_root(float x) { return std::sqrt(x); }
POLYQ_HD inline double square_root(double x) { return std::sqrt(x); }
POLYQ_HD inline float hyperbolic_tangent(float x) { return std::tanh(x); }
POLYQ_HD inline double hyperbolic_tangent(double x) { return std::tanh(x); }

struct Identity {
  template <class V>
  POLYQ_HD static V value(V x) {
    return x;
  }
  template <class V>
  POLYQ_HD static V pull(V /*output*/, V gradient) {
    return gradient;
  }
};

struct Relu {
  template <class V>
  POLYQ_HD static V value(V x) {
    return maximum(x, V(0.f));
  }
  template <class V>
  POLYQ_HD static V pull(V output, V gradient) {
    return where_positive(output, gradient);
  }
};

struct Tanh {
  template <class V>
  POLYQ_HD static V value(V x) {
    return hyperbolic_tangent(x);
  }
  template <class V>
  POLYQ_HD static V pull(V output, V gradient) {
    return gradient * (V(1.f) - output * output);
  }
};

}  // namespace polyq::math
