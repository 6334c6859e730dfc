// SPDX-License-Identifier: MIT
// Noisy layers: the noise by its definition, its statistics, whom it is shared by and when it
// changes; outputs and gradients beside PyTorch and central differences; places and starts.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <polyq/nn/noisy.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "passes.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;
using nn::Role;

namespace {

using Network =
    nn::Sequential<nn::Linear<5, 17, math::Relu>, nn::Noisy<17, 18, math::Tanh>, nn::Noisy<18, 3>>;
static_assert(nn::Noisy<4, 3>::parameter_count == 2 * 15 && nn::Noisy<4, 3>::explores);
static_assert(std::is_same_v<nn::Noisy<4, 3, math::Relu>::Output, math::Relu>);
static_assert(nn::LayerOn<nn::Noisy<4, 3>, backend::Reference::Machine, 3>);
static_assert(nn::LayerOn<nn::Noisy<4, 40>, test::Fast::Machine, 64>);
static_assert(Network::explores && !nn::explores<nn::Linear<4, 3>>());
// All layers but the first have noise.
static_assert(
    std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Relu>, nn::Noisy<8, 9, math::Relu>,
                                     nn::Noisy<9, 7, math::Relu>, nn::Noisy<7, 2>>,
                      nn::NoisyMlp<4, 8, 9, 7, 2>>);
static_assert(std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Relu>, nn::Noisy<8, 2>>,
                                nn::NoisyMlp<4, 8, 2>>);
static_assert(nn::Network<nn::NoisyMlp<4, 8, 2>> && nn::NoisyMlp<4, 8, 2>::action_count == 2);

/// f(ε) of `count` deviates by the definition: four a lane from `lane` on.
std::vector<float> noise(std::uint64_t seed, std::uint64_t step, std::uint32_t lane, int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) {
    const core::Words words = core::philox(seed, core::Stream::noise, step, lane + i / 4);
    const math::Normals pair = i % 4 < 2 ? math::normal(words.word[0], words.word[1])
                                         : math::normal(words.word[2], words.word[3]);
    const double e = i % 2 == 0 ? pair.first : pair.second;
    values.push_back(float(e < 0 ? -std::sqrt(-e) : std::sqrt(e)));
  }
  return values;
}
std::uint32_t lane(Role role, int layer, bool of_outputs) {
  return std::uint32_t(role) << 30 | std::uint32_t(layer) << 20 | (of_outputs ? 1u << 19 : 0);
}

template <int In, int Out>
struct Noise {
  std::vector<float> in, out;
};
/// A layer's noise, read off the gradients: the means' are 1 where all x and dy are, and sigma's
/// are the noise.
template <class B, int In, int Out>
Noise<In, Out> noise_of(const test::When& when) {
  using Layer = nn::Noisy<In, Out>;
  const std::vector<float> packed(Layer::parameter_count, .5f), x(In, 1), dy(Out, 1);
  const auto gradient = test::passes<B, Layer, 1>(packed, x, dy, when).gradient;
  const float* sigma = &gradient[In * Out + Out];
  Noise<In, Out> got;
  for (int o = 0; o < Out; ++o) got.out.push_back(sigma[In * Out + o]);
  for (int i = 0; i < In; ++i) got.in.push_back(sigma[i] / got.out[0]);
  return got;
}

/// Both ends of a layer's noise beside the definition, f(ε) within three of its last places: 4e-7.
template <class B, int In, int Out>
void check_noise(Role role) {
  INFO("in ", In, ", out ", Out);
  const test::When when{role, {(std::uint64_t{1} << 40) + 3, 12}, 77};
  const std::uint64_t step = role == Role::acting ? when.clock.env_steps : when.clock.updates;
  const auto got = noise_of<B, In, Out>(when);
  const auto in = noise(77, step, lane(role, 0, false), In);
  const auto out = noise(77, step, lane(role, 0, true), Out);
  for (int i = 0; i < In; ++i) CHECK(std::abs(got.in[i] / in[i] - 1) < 8e-7);  // of a quotient
  for (int o = 0; o < Out; ++o) CHECK(std::abs(got.out[o] / out[o] - 1) < 4e-7);
}

/// One forward.
template <class B, class Layer, int Samples>
std::vector<float> forward(const std::vector<float>& packed, const std::vector<float>& x,
                           const test::When& when) {
  return test::passes<B, Layer, Samples>(packed, x, std::vector<float>(Layer::out * Samples), when)
      .y;
}

}  // namespace

TEST_CASE_TEMPLATE("as PyTorch: outputs, and gradients of parameters and input", B,
                   POLYQ_BACKENDS) {
  test::check_beside_torch<B, Network, 7>("noisy.txt", {Role::online, {400, 3}, 5});
  test::check_beside_torch<B, nn::Noisy<6, 33>, 4>(
      "noisy_acting.txt", {Role::acting, {(std::uint64_t{1} << 32) + 5, 3}, 6});
}

TEST_CASE_TEMPLATE("noise is by its definition in every role, size and storage", B,
                   POLYQ_BACKENDS) {
  check_noise<B, 1, 1>(Role::online);
  check_noise<B, 4, 3>(Role::target);
  check_noise<B, 5, 40>(Role::selector);
  check_noise<B, 33, 7>(Role::acting);
  check_noise<B, 33, 18>(Role::online);
}

TEST_CASE_TEMPLATE("each layer and each role has a noise of its own", B, POLYQ_BACKENDS) {
  using Two = nn::Sequential<nn::Noisy<4, 4>, nn::Noisy<4, 4>>;
  const std::vector<float> packed(Two::parameter_count, .5f), x(4, 1), dy(4, 1);
  std::set<float> seen;
  for (const Role role : {Role::online, Role::target, Role::selector, Role::acting}) {
    const auto gradient = test::passes<B, Two, 1>(packed, x, dy, {role, {9, 9}, 1}).gradient;
    for (const int layer : {0, 40})
      for (int o = 0; o < 4; ++o) seen.insert(gradient[layer + 36 + o] / gradient[layer + 16 + o]);
  }
  CHECK(seen.size() == 4 * 2 * 4);
}

TEST_CASE_TEMPLATE("samples share one noise", B, POLYQ_BACKENDS) {
  using Layer = nn::Noisy<6, 18>;
  const auto packed = test::random(Layer::parameter_count, 1), one = test::random(6, 2);
  std::vector<float> x;
  for (int s = 0; s < 7; ++s) x.insert(x.end(), one.begin(), one.end());
  const auto y = forward<B, Layer, 7>(packed, x, {Role::online, {4, 5}, 6});
  for (std::size_t i = 18; i < y.size(); ++i)
    CHECK(std::abs(y[i] - y[i % 18]) < 1e-6f);  // tiles may round their sums otherwise
}

TEST_CASE_TEMPLATE("acting draws anew each env step, learning each update", B, POLYQ_BACKENDS) {
  using Layer = nn::Noisy<3, 2>;
  const auto packed = test::random(Layer::parameter_count, 1), x = test::random(3, 2);
  const auto y = [&](Role role, std::uint64_t env_steps, std::uint64_t updates) {
    return forward<B, Layer, 1>(packed, x, {role, {env_steps, updates}, 6});
  };
  for (const Role role : {Role::online, Role::target, Role::selector}) {
    CHECK(y(role, 1, 5) != y(role, 1, 6));
    CHECK(y(role, 1, 5) == y(role, 2, 5));
  }
  CHECK(y(Role::acting, 1, 5) != y(Role::acting, 2, 5));
  CHECK(y(Role::acting, 1, 5) == y(Role::acting, 1, 6));
}

TEST_CASE_TEMPLATE("evaluation uses the means alone, bit for bit, with no gradient of sigma", B,
                   POLYQ_BACKENDS) {
  using Layer = nn::Noisy<6, 18, math::Tanh>;
  using Mean = nn::Linear<6, 18, math::Tanh>;
  const auto packed = test::random(Layer::parameter_count, 1), x = test::random(6 * 5, 2),
             dy = test::random(18 * 5, 3);
  const std::vector<float> means(packed.begin(), packed.begin() + Mean::parameter_count);
  const auto got = test::passes<B, Layer, 5>(packed, x, dy, {Role::evaluation, {1, 2}, 3});
  auto expected = test::passes<B, Mean, 5>(means, x, dy);
  expected.gradient.resize(packed.size());
  CHECK(got == expected);
}

// y = W x + b + f_o (Σ σ_i f_i x_i + σ_b) with E f = 0, E f² = E |ε| = √(2/π) = m: the mean is that
// of the means, the variance m (m Σ σ_i² x_i² + σ_b²).
TEST_CASE_TEMPLATE("a recorded forward follows the clock; mean and variance of what it gives", B,
                   POLYQ_BACKENDS) {
  using Layer = nn::Noisy<4, 3>;
  using Machine = typename B::Machine;
  using Storage = typename Machine::Storage;
  using X = backend::Activations<Storage, float, 4, 1>;
  using Y = backend::Activations<Storage, float, 3, 1>;
  constexpr int updates = 4000;
  const auto packed = test::random(Layer::parameter_count, 1), x = test::random(4, 2);
  std::vector<float> padded(Layer::template parameters<Storage>());
  core::for_each_parameter(Layer::template blocks<Storage>(),
                           [&](std::size_t i, std::size_t at) { padded[at] = packed[i]; });
  Machine machine(test::strictest<B>());
  const auto parameters = test::uploaded(machine, padded), from = test::uploaded(machine, x),
             to = test::uploaded(machine, std::vector<float>(3)),
             tape = test::uploaded(machine,
                                   std::vector<float>(Layer::template tape_size<Storage, 1>()));
  const auto clock = test::uploaded(machine, std::vector<core::Clock>(1));
  auto update = machine.record([&machine, p = parameters.get(), x = X{from.get()}, y = Y{to.get()},
                                t = tape.get(), c = clock.get()] {
    Layer::forward(machine, p, core::as_const(x), y, t, nn::Pass{Role::online, c, 8});
    machine.for_each(1, core::Tick{c, 0, 1});
  });
  std::vector<std::vector<double>> outputs(3);
  for (int i = 0; i < updates; ++i) {
    update();
    const auto y = test::downloaded(machine, to.get(), 3);
    for (int o = 0; o < 3; ++o) outputs[o].push_back(y[o]);
  }
  const double m = std::sqrt(2 / std::numbers::pi);
  for (int o = 0; o < 3; ++o) {
    CHECK(std::set<double>(outputs[o].begin(), outputs[o].end()).size() > updates - 10);
    double mean = packed[12 + o], variance = m * packed[27 + o] * packed[27 + o];
    for (int i = 0; i < 4; ++i) {
      mean += packed[4 * o + i] * x[i];
      variance += m * m * std::pow(packed[15 + 4 * o + i] * x[i], 2);
    }
    double first = 0, second = 0, fourth = 0;
    for (const double y : outputs[o]) {
      first += y / updates;
      second += std::pow(y - mean, 2) / updates;
      fourth += std::pow(y - mean, 4) / updates;
    }
    INFO("output ", o);
    CHECK(std::abs(first - mean) < 4 * std::sqrt(variance / updates));
    CHECK(std::abs(second - variance) < 4 * std::sqrt((fourth - second * second) / updates));
  }
}

TEST_CASE_TEMPLATE("gradients beside central differences", B, POLYQ_BACKENDS) {
  constexpr int in = 7, out = 18, samples = 5;
  using Layer = nn::Noisy<in, out>;
  const auto packed = test::random(Layer::parameter_count, 1), x = test::random(in * samples, 2),
             dy = test::random(out * samples, 3);
  const auto got = test::passes<B, Layer, samples>(packed, x, dy, {Role::target, {0, 30}, 4});
  const auto f_in = noise(4, 30, lane(Role::target, 0, false), in),
             f_out = noise(4, 30, lane(Role::target, 0, true), out);
  test::check_differences<Layer>(
      got.gradient, {packed.begin(), packed.end()}, [&](const std::vector<double>& p) {
        const double *bias = &p[in * out], *sigma = bias + out, *bias_sigma = sigma + in * out;
        double total = 0;
        for (int s = 0; s < samples; ++s)
          for (int o = 0; o < out; ++o) {
            double y = bias[o] + bias_sigma[o] * f_out[o];
            for (int i = 0; i < in; ++i)
              y += (p[o * in + i] + sigma[o * in + i] * f_out[o] * f_in[i]) * x[s * in + i];
            total += y * dy[s * out + o];
          }
        return total;
      });
}

TEST_CASE_TEMPLATE("means and sigmas have places of their own", B, POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  constexpr auto blocks = Network::blocks<Storage>();
  const std::vector<std::string> names{"weight", "bias", "weight_sigma", "bias_sigma"};
  static_assert(blocks.size() == 10);
  for (int i = 2; i < 10; ++i) {
    CHECK(blocks[i].name == names[(i - 2) % 4]);
    CHECK(blocks[i].layer == 1 + (i - 2) / 4);
    CHECK(blocks[i].trained);
    CHECK(blocks[i].offset % Storage::granule == 0);
  }
  std::vector<int> uses(Network::parameters<Storage>());
  core::for_each_parameter(blocks, [&](std::size_t, std::size_t at) {
    REQUIRE(at < uses.size());
    CHECK(++uses[at] == 1);
  });
}

TEST_CASE("means start as a linear layer's, sigmas at sigma_0 / sqrt(in)") {
  using Layer = nn::Noisy<16, 3>;
  std::vector<float> packed(Layer::parameter_count), linear(51);
  Layer{}.initialise(5, 100, packed.data());
  nn::Linear<16, 3>{}.initialise(5, 100, linear.data());
  CHECK(std::equal(linear.begin(), linear.end(), packed.begin()));
  CHECK(std::all_of(&packed[51], &packed[0] + 102, [](float v) { return v == .125f; }));
  Layer{.2f}.initialise(5, 100, packed.data());
  CHECK(std::all_of(&packed[51], &packed[0] + 102, [](float v) { return v == .05f; }));
}

TEST_CASE("sigma_0 is finite and above 0, which the error shows") {
  float packed[4];
  CHECK_THROWS_WITH_AS((nn::Noisy<1, 1>{0}.initialise(1, 0, packed)),
                       "polyq: Noisy.sigma_0 = 0; allowed: finite and > 0", polyq::SettingsError);
  CHECK_THROWS_AS(
      (nn::Noisy<1, 1>{std::numeric_limits<float>::infinity()}.initialise(1, 0, packed)),
      polyq::SettingsError);
  CHECK_THROWS_AS(
      (nn::Noisy<1, 1>{std::numeric_limits<float>::quiet_NaN()}.initialise(1, 0, packed)),
      polyq::SettingsError);
}
