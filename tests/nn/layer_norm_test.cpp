// SPDX-License-Identifier: MIT
// LayerNorm by hand, beside PyTorch and central differences; what it does not depend on.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <polyq/nn/layer_norm.hpp>
#include <polyq/nn/sequential.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "passes.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

using Network =
    nn::Sequential<nn::Linear<5, 17, math::Relu>, nn::LayerNorm<17, math::Tanh>, nn::Linear<17, 18>,
                   nn::LayerNorm<18, math::Relu>, nn::Linear<18, 3>>;
static_assert(nn::LayerOn<nn::LayerNorm<4>, backend::Reference::Machine, 3>);
static_assert(nn::LayerOn<Network, test::Fast::Machine, 64>);
static_assert(nn::LayerNorm<4>::parameter_count == 8 && nn::LayerNorm<4>::trained);
static_assert(std::is_same_v<nn::LayerNorm<4, math::Relu>::Output, math::Relu>);

}  // namespace

// x = (1, 3): mean 2, variance 1, ε = 1e-5: x̂ = ∓1 / √1.00001 = ∓(1 − 5e-6). With weight (2, 3) and
// bias (10, 20) y = (8.00001, 22.999985). dy = (1, 2): g = (2, 6), its mean 4, that of g ∘ x̂ 2, so
// that dx = (2 − 4 + 2, 6 − 4 − 2) = 0 but for ε: with two features x̂ hardly depends on x.
TEST_CASE_TEMPLATE("both passes by hand", B, POLYQ_BACKENDS) {
  const auto got = test::passes<B, nn::LayerNorm<2>, 1>({2, 3, 10, 20}, {1, 3}, {1, 2});
  CHECK(got.y[0] == doctest::Approx(8.00001).epsilon(1e-7));
  CHECK(got.y[1] == doctest::Approx(22.999985).epsilon(1e-7));
  CHECK(got.gradient[0] == doctest::Approx(-.999995).epsilon(1e-7));
  CHECK(got.gradient[1] == doctest::Approx(1.99999).epsilon(1e-7));
  CHECK(got.gradient[2] == 1);
  CHECK(got.gradient[3] == 2);
  // 2 · (x̂² − 1) of either sign is 2e-5; what is left of 4s has an error of 2^-22.
  CHECK(std::abs(got.dx[0] + 2e-5) < 1e-6);
  CHECK(std::abs(got.dx[1] - 2e-5) < 1e-6);
}

TEST_CASE_TEMPLATE("as PyTorch: outputs, and gradients of parameters and input", B,
                   POLYQ_BACKENDS) {
  test::check_beside_torch<B, Network, 7>("layer_norm.txt");
  test::check_beside_torch<B, nn::LayerNorm<6>, 5>("layer_norm_at_input.txt");
}

TEST_CASE_TEMPLATE("gradients beside central differences", B, POLYQ_BACKENDS) {
  constexpr int n = 18, samples = 5;
  using Layer = nn::LayerNorm<n>;
  const auto packed = test::random(Layer::parameter_count, 1), x = test::random(n * samples, 2),
             dy = test::random(n * samples, 3);
  const auto got = test::passes<B, Layer, samples>(packed, x, dy);
  const auto loss = [&](const std::vector<double>& p, const std::vector<double>& at) {
    double total = 0;
    for (int s = 0; s < samples; ++s) {
      const double* column = &at[s * n];
      const double mean = std::accumulate(column, column + n, 0.) / n;
      double variance = 0;
      for (int i = 0; i < n; ++i) variance += (column[i] - mean) * (column[i] - mean) / n;
      for (int i = 0; i < n; ++i)
        total +=
            dy[s * n + i] * (p[i] * (column[i] - mean) / std::sqrt(variance + 1e-5) + p[n + i]);
    }
    return total;
  };
  const std::vector<double> exact(packed.begin(), packed.end());
  std::vector<double> at(x.begin(), x.end());
  test::check_differences<Layer>(got.gradient, exact,
                                 [&](const std::vector<double>& p) { return loss(p, at); });
  std::vector<double> differences;
  for (double& value : at) {
    const double before = value;
    value = before + 1e-5;
    const double above = loss(exact, at);
    value = before - 1e-5;
    differences.push_back((above - loss(exact, at)) / 2e-5);
    value = before;
  }
  CHECK(test::relative_gap(got.dx.data(), differences.data(), differences.size()) <= 1.6e-6);
}

TEST_CASE_TEMPLATE("the input's gradient has the slope of what made the input", B, POLYQ_BACKENDS) {
  using Layer = nn::LayerNorm<7>;
  const auto packed = test::random(14, 1), x = test::random(7 * 3, 2), dy = test::random(7 * 3, 3);
  const auto plain = test::passes<B, Layer, 3>(packed, x, dy).dx;
  const auto pulled = test::passes<B, Layer, 3, math::Tanh>(packed, x, dy).dx;
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(pulled[i] == doctest::Approx(plain[i] * (1 - x[i] * x[i])).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("a sample of equal features gives the bias; large offsets cost no precision", B,
                   POLYQ_BACKENDS) {
  using Layer = nn::LayerNorm<6>;
  std::vector<float> packed(12, 1);
  std::iota(packed.begin() + 6, packed.end(), 0.f);
  CHECK(test::passes<B, Layer, 1>(packed, std::vector<float>(6, 3), std::vector<float>(6, 1)).y ==
        std::vector<float>{0, 1, 2, 3, 4, 5});
  // Integers, so that the sums are exact: 4096 more of each changes no difference to the mean.
  const std::vector<float> x{1, -2, 3, 5, -7, 6};  // of mean 1
  std::vector<float> shifted;
  for (const float value : x) shifted.push_back(value + 4096);
  CHECK(test::passes<B, Layer, 1>(packed, x, x).y ==
        test::passes<B, Layer, 1>(packed, shifted, x).y);
}

TEST_CASE_TEMPLATE("weight and bias have places of their own, and start as ones and zeros", B,
                   POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  using Layer = nn::LayerNorm<21>;
  constexpr auto blocks = Layer::blocks<Storage>();
  CHECK(std::string(blocks[0].name) == "weight");
  CHECK(std::string(blocks[1].name) == "bias");
  std::vector<float> packed(42), padded(Layer::parameters<Storage>());
  Layer{}.initialise(1, 0, packed.data());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) {
    REQUIRE(at < padded.size());
    CHECK(padded[at] == 0);
    padded[at] = float(i + 1);
    CHECK(packed[i] == (i < 21 ? 1 : 0));
  });
}
