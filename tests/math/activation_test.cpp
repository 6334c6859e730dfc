// SPDX-License-Identifier: MIT
// Each pull is the derivative, zero stays zero, and packets compute what floats do.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <polyq/math/activation.hpp>
#include <type_traits>

#include "backends.hpp"

namespace math = polyq::math;

namespace {

using Packets = polyq::backend::EigenCpu::Packets;

/// Largest gap between pull(value(x), 1) and the central difference of value.
template <class Activation>
double pull_gap() {
  constexpr double h = 1e-5;
  double worst = 0;
  for (double x = -5.005; x < 5; x += .01) {
    const double difference = (Activation::value(x + h) - Activation::value(x - h)) / (2 * h);
    worst = std::max(worst, std::abs(Activation::pull(Activation::value(x), 1.) - difference));
  }
  return worst;
}

/// Calls compare(float, float of the packet) for value and pull over a grid.
template <class Pack, class Activation, class Compare>
void for_each_pair(Compare compare) {
  constexpr int lanes = Pack::lanes;
  std::array<float, lanes> x, gradient, values, pulled;
  for (float start = -12; start < 12; start += .01f * lanes) {
    for (int i = 0; i < lanes; ++i) {
      x[i] = start + .01f * float(i);
      gradient[i] = 1 + .5f * float(i % 3);
    }
    const Pack output = Activation::value(Pack::load(x.data()));
    output.store(values.data());
    Activation::pull(output, Pack::load(gradient.data())).store(pulled.data());
    for (int i = 0; i < lanes; ++i) {
      compare(Activation::value(x[i]), values[i]);
      compare(Activation::pull(values[i], gradient[i]), pulled[i]);
    }
  }
}

}  // namespace

TEST_CASE("values by hand") {
  CHECK(math::Identity::value(-2.5f) == -2.5f);
  CHECK(math::Identity::pull(7.f, -3.f) == -3);
  CHECK(math::Relu::value(-2.5f) == 0);
  CHECK(math::Relu::value(2.5f) == 2.5f);
  CHECK(math::Relu::pull(2.5f, -3.f) == -3);
  CHECK(math::Relu::pull(0.f, -3.f) == 0);                             // as PyTorch: no slope at 0
  CHECK(std::abs(math::Tanh::value(1.) - .7615941559557649) < 2e-16);  // two of its last bits
  CHECK(math::Tanh::pull(.5f, 4.f) == 3);                              // 4 * (1 - .25)
}

TEST_CASE("each pull is the derivative") {
  // Central differences err by h^2 / 6 times the third derivative, at most 2 for tanh: 3.4e-11;
  // and by rounding, values up to 5 * 2^-53 / 1e-5 = 5.6e-11. No grid point is near relu's kink.
  CHECK(pull_gap<math::Identity>() < 1e-10);
  CHECK(pull_gap<math::Relu>() < 1e-10);
  CHECK(pull_gap<math::Tanh>() < 1e-10);
}

TEST_CASE_TEMPLATE("zero stays zero, so that pads do", Activation, math::Identity, math::Relu,
                   math::Tanh) {
  CHECK(Activation::value(0.f) == 0);
  CHECK(Activation::value(0.) == 0);
  CHECK(Activation::pull(0.f, 0.f) == 0);
  std::array<float, Packets::Full::lanes> out;
  Activation::value(typename Packets::Full(0.f)).store(out.data());
  for (const float value : out) CHECK(value == 0);
}

TEST_CASE_TEMPLATE("packets of relu and identity equal floats exactly", Pack, Packets::Full,
                   Packets::Half) {
  int different = 0;
  const auto compare = [&](float one, float of_packet) { different += one != of_packet; };
  for_each_pair<Pack, math::Relu>(compare);
  for_each_pair<Pack, math::Identity>(compare);
  CHECK(different == 0);
}

TEST_CASE_TEMPLATE("packets of tanh are within 4e-7 of floats", Pack, Packets::Full,
                   Packets::Half) {
  // Eigen's tanh is a quotient of polynomials, within a few of 2^-24 = 6e-8 near 1; the pull of
  // an equal output differs by the rounding of gradients up to 2, with or without FMA.
  double worst = 0;
  for_each_pair<Pack, math::Tanh>([&](float one, float of_packet) {
    worst = std::max(worst, std::abs(double(one) - double(of_packet)));
  });
  CHECK(worst < 4e-7);
}

TEST_CASE("the named functions take floats and doubles without mixing them") {
  static_assert(std::is_same_v<decltype(math::maximum(1.f, 2.f)), float>);
  static_assert(std::is_same_v<decltype(math::square_root(2.)), double>);
  CHECK(math::square_root(2.) == std::sqrt(2.));
  CHECK(math::square_root(2.f) == std::sqrt(2.f));
  CHECK(math::hyperbolic_tangent(.3) == std::tanh(.3));
  CHECK(math::where_positive(1e-30f, 5.f) == 5);
  CHECK(math::where_positive(-1e-30f, 5.f) == 0);
  CHECK(math::maximum(-1., -2.) == -1);
  CHECK(math::maximum(-2.f, -1.f) == -1);
}

TEST_CASE_TEMPLATE("ReLU of NaN is NaN, as PyTorch's", V, float, double) {
  CHECK(std::isnan(math::Relu::value(std::numeric_limits<V>::quiet_NaN())));
}
