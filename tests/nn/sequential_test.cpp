// SPDX-License-Identifier: MIT
// Networks: places, starts, nesting, who computes dx, and gradients beside central differences.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <polyq/core/random.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <set>
#include <type_traits>
#include <vector>

#include "backends.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

using Scaled = nn::Sequential<nn::Scale<5>, nn::Linear<5, 17, math::Relu>,
                              nn::Linear<17, 6, math::Tanh>, nn::Linear<6, 3>>;
using Nested = nn::Sequential<nn::Sequential<nn::Scale<5>, nn::Linear<5, 17, math::Relu>>,
                              nn::Sequential<nn::Linear<17, 6, math::Tanh>, nn::Linear<6, 3>>>;

static_assert(nn::Mlp<4, 128, 128, 2>::parameter_count ==
              4 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2);
static_assert(nn::Mlp<4, 128, 128, 2>::layer_count == 3 && Scaled::layer_count == 4);
static_assert(nn::Mlp<4, 128, 128, 2>::observation_size == 4);
static_assert(nn::Mlp<4, 128, 128, 2>::action_count == 2);
static_assert(Scaled::parameter_count == 10 + 6 * 17 + 18 * 6 + 7 * 3);
static_assert(Scaled::trained && !nn::Sequential<nn::Scale<4>>::trained);
// The last layer has no activation, those before it have.
static_assert(std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Relu>, nn::Linear<8, 2>>,
                                nn::Mlp<4, 8, 2>>);
static_assert(std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Tanh>, nn::Linear<8, 2>>,
                                nn::MlpOf<math::Tanh, 4, 8, 2>>);
static_assert(std::is_same_v<Scaled::Output, math::Identity>);

std::vector<float> random(std::size_t count, std::uint64_t salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = 2 * core::uniform(core::philox(4, core::Stream::noise, salt, i).word[0]) - 1;
  return values;
}

/// What a pass over a batch gives, without pads.
struct Result {
  std::vector<float> y, gradient;
  bool operator==(const Result&) const = default;
};

/// Both passes of Network on backend B; x [in, Samples] and dy [out, Samples], a sample after
/// another. Tape, scratch and outputs hold garbage before; pads of the gradient must stay zero.
template <class B, class Network, int Samples>
Result run(const std::vector<float>& packed, const std::vector<float>& x,
           const std::vector<float>& dy) {
  using Storage = typename B::Machine::Storage;
  using X = backend::Activations<Storage, float, Network::in, Samples>;
  using Y = backend::Activations<Storage, float, Network::out, Samples>;
  constexpr auto blocks = Network::template blocks<Storage>();
  constexpr float garbage = std::numeric_limits<float>::quiet_NaN();
  typename B::Machine machine(B{});
  const auto uploaded = [&](const std::vector<float>& values) {
    auto memory = machine.template allocate<float>(values.size());
    machine.upload(memory.get(), values.data(), values.size());
    return memory;
  };
  const auto padded = [](const std::vector<float>& values, int rows, int stride) {
    std::vector<float> floats(stride * Samples);
    for (std::size_t i = 0; i < values.size(); ++i)
      floats[i / rows * stride + i % rows] = values[i];
    return floats;
  };
  std::vector<float> floats(Network::template parameters<Storage>());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { floats[at] = packed[i]; });

  const auto parameters = uploaded(floats), gradient = uploaded(std::vector<float>(floats.size())),
             from = uploaded(padded(x, Network::in, X::stride)),
             slope = uploaded(padded(dy, Network::out, Y::stride)),
             out = uploaded(std::vector<float>(Y::stride * Samples, garbage)),
             tape = uploaded(
                 std::vector<float>(Network::template tape_size<Storage, Samples>() + 1, garbage)),
             scratch = uploaded(std::vector<float>(
                 Network::template scratch_size<Storage, Samples>() + 1, garbage));
  Result result;
  for (int round = 0; round < 3; ++round) {  // a pass must not add to the one before
    const nn::Pass pass{nn::Role::online, nullptr, 0, round == 2};
    Network::forward(machine, parameters.get(), X{from.get()}, Y{out.get()}, tape.get(), pass);
    Network::template backward<math::Identity>(machine, parameters.get(), X{from.get()}, tape.get(),
                                               Y{slope.get()}, gradient.get(), core::Absent{},
                                               scratch.get(), pass);
    std::vector<float> y(Y::stride * Samples);
    machine.download(y.data(), out.get(), y.size());
    machine.download(floats.data(), gradient.get(), floats.size());
    Result now;
    for (int s = 0; s < Samples; ++s)
      now.y.insert(now.y.end(), &y[s * Y::stride], &y[s * Y::stride] + Network::out);
    now.gradient.resize(packed.size());
    core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) {
      now.gradient[i] = floats[at];
      floats[at] = 0;
    });
    CHECK(floats == std::vector<float>(floats.size()));
    if (round != 0) CHECK(now == result);
    result = now;
  }
  return result;
}

/// The same network in double, on plain loops; its parameters packed.
struct Plain {
  struct Dense {
    int in, out;
    double (*activation)(double);
  };
  bool scaled;
  std::vector<Dense> layers;

  std::vector<double> forward(const std::vector<double>& packed, std::vector<double> x) const {
    const double* p = packed.data();
    if (scaled) {
      const std::size_t size = x.size();
      for (std::size_t i = 0; i < size; ++i) x[i] = p[i] * x[i] + p[size + i];
      p += 2 * size;
    }
    for (const Dense& layer : layers) {
      const double* bias = p + layer.out * layer.in;
      std::vector<double> y(bias, bias + layer.out);
      for (double& value : y) {
        for (int i = 0; i < layer.in; ++i) value += *p++ * x[i];
        value = layer.activation(value);
      }
      p += layer.out;
      x = y;
    }
    return x;
  }
  /// Σ dy · y over a batch.
  double loss(const std::vector<double>& packed, const std::vector<float>& x,
              const std::vector<float>& dy) const {
    const std::size_t out = layers.back().out, samples = dy.size() / out, in = x.size() / samples;
    double total = 0;
    for (std::size_t s = 0; s < samples; ++s) {
      const auto y = forward(packed, {x.begin() + s * in, x.begin() + (s + 1) * in});
      for (std::size_t o = 0; o < out; ++o) total += double(dy[s * out + o]) * y[o];
    }
    return total;
  }
};
double identity(double x) { return x; }
double relu(double x) { return x > 0 ? x : 0; }
double tangent(double x) { return std::tanh(x); }

/// Outputs and gradients of a random batch, tensor by tensor, beside the plain network's.
template <class B, class Network, int Samples>
void check_gradient(const Network& network, const Plain& plain) {
  std::vector<float> packed(Network::parameter_count);
  network.initialise(6, 0, packed.data());
  const auto x = random(Network::in * Samples, 1), dy = random(Network::out * Samples, 2);
  const Result got = run<B, Network, Samples>(packed, x, dy);

  std::vector<double> exact(packed.begin(), packed.end());
  double worst = 0, largest = 0;
  for (int s = 0; s < Samples; ++s) {
    const auto y =
        plain.forward(exact, {x.begin() + s * Network::in, x.begin() + (s + 1) * Network::in});
    for (int o = 0; o < Network::out; ++o) {
      worst = std::max(worst, std::abs(got.y[s * Network::out + o] - y[o]));
      largest = std::max(largest, std::abs(y[o]));
    }
  }
  // Three sums of up to 20 terms, whose roundings of 2^-24 add up as roots do: 3 √20 2^-24.
  CHECK(worst <= 8e-7 * largest);

  // Central differences in double err by h² f‴ / 6 < 1e-9 and, with losses up to 10, by
  // 10 · 2^-53 / h < 1e-9. What is seen is float's rounding: three sums forward, three back.
  constexpr double h = 1e-5;
  std::size_t i = 0;  // in any storage blocks have the same order and sizes
  for (const core::Block& block : Network::template blocks<backend::Reference::Storage>()) {
    worst = 0, largest = 0;
    for (int n = 0; n < block.rows * block.columns; ++n, ++i) {
      if (!block.trained) {
        CHECK(got.gradient[i] == 0);
        continue;
      }
      const double value = exact[i];
      exact[i] = value + h;
      const double above = plain.loss(exact, x, dy);
      exact[i] = value - h;
      const double difference = (above - plain.loss(exact, x, dy)) / (2 * h);
      exact[i] = value;
      worst = std::max(worst, std::abs(got.gradient[i] - difference));
      largest = std::max(largest, std::abs(difference));
    }
    INFO("layer ", block.layer, ", ", block.name);
    CHECK(worst <= 1.6e-6 * largest);
  }
}

/// A machine that computes nothing.
struct Idle {
  using Storage = backend::Reference::Storage;
  static constexpr bool fuses(backend::Fusion) { return false; }
  template <class F>
  void for_each(std::int64_t, F) {}
  template <class F>
  void for_each_team(std::int64_t, F) {}
  template <class X, class Y, class Out>
  void matmul(X, Y, Out) {}
};

/// A layer that remembers whether it was asked for dx.
enum class Asked { never, without_dx, with_dx };
struct Probe : nn::Linear<3, 3> {
  static inline Asked asked = Asked::never;
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine&, const float*, X, const float*, DY, float*, DX, float*,
                       const nn::Pass&) {
    asked = std::is_same_v<DX, core::Absent> ? Asked::without_dx : Asked::with_dx;
  }
};
template <class... Layers>
Asked asked_of_probe() {
  using Network = nn::Sequential<Layers...>;
  Probe::asked = Asked::never;
  Idle machine;
  std::vector<float> floats(1000);
  float* any = floats.data();
  Network::template backward<math::Identity>(machine, any, core::Matrix<float, 3, 1>{any}, any,
                                             core::Matrix<float, 3, 1>{any}, any, core::Absent{},
                                             any, nn::Pass{nn::Role::online, nullptr, 0});
  return Probe::asked;
}

/// A layer that notes the numbers by which passes call it.
struct Numbered : nn::Linear<3, 3> {
  static constexpr bool explores = true;
  static inline std::vector<int> forwards, backwards;
  template <class Machine, class X, class Y>
  static void forward(Machine&, const float*, X, Y, float*, const nn::Pass& pass) {
    forwards.push_back(pass.layer);
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine&, const float*, X, const float*, DY, float*, DX, float*,
                       const nn::Pass& pass) {
    backwards.push_back(pass.layer);
  }
};

}  // namespace

TEST_CASE("a pass numbers the layers through nested networks") {
  using Network =
      nn::Sequential<Numbered, nn::Sequential<Numbered, nn::Sequential<Numbered, Numbered>>,
                     Numbered>;
  static_assert(Network::explores && !Nested::explores && !nn::explores<nn::Scale<5>>());
  Idle machine;
  std::vector<float> floats(1000);
  const core::Matrix<float, 3, 1> any{floats.data()};
  const nn::Pass pass{nn::Role::online, nullptr, 0};
  Network::forward(machine, any.data, any, any, any.data, pass);
  CHECK(Numbered::forwards == std::vector<int>{0, 1, 2, 3, 4});
  Network::template backward<math::Identity>(machine, any.data, any, any.data, any, any.data,
                                             core::Absent{}, any.data, pass);
  CHECK(Numbered::backwards == std::vector<int>{4, 3, 2, 1, 0});
}

TEST_CASE_TEMPLATE("blocks are apart, inside the parameters, and in the order of layers", B,
                   POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  constexpr auto blocks = Nested::blocks<Storage>();
  static_assert(blocks.size() == 8);
  std::vector<int> uses(Nested::parameters<Storage>());
  std::size_t next = 0;
  core::for_each_parameter(blocks, [&](std::size_t packed, std::size_t at) {
    CHECK(packed == next++);
    REQUIRE(at < uses.size());
    CHECK(++uses[at] == 1);
  });
  CHECK(next == Nested::parameter_count);
  for (int i = 0; i < 8; ++i) {
    CHECK(blocks[i].layer == i / 2);  // counted through nested layers
    CHECK(blocks[i].trained == (i >= 2));
    CHECK(blocks[i].offset % Storage::granule == 0);
  }
}

TEST_CASE("layers start as if alone, one behind another in the same stream of draws") {
  const auto scale = nn::Scale<5>::range({-1, -1, -1, -1, 0}, {1, 1, 1, 1, 4});
  std::vector<float> packed(Scaled::parameter_count);
  const Scaled network(scale, {}, {}, {});
  network.initialise(9, 0, packed.data());
  CHECK(std::vector<float>(&packed[0], &packed[10]) ==
        std::vector<float>{1, 1, 1, 1, .5f, 0, 0, 0, 0, -1});
  std::vector<float> alone(6 * 17);
  nn::Linear<5, 17>{}.initialise(9, 10, alone.data());
  CHECK(std::equal(alone.begin(), alone.end(), &packed[10]));
  alone.resize(18 * 6);
  nn::Linear<17, 6>{}.initialise(9, 10 + 6 * 17, alone.data());
  CHECK(std::equal(alone.begin(), alone.end(), &packed[10 + 6 * 17]));

  // No draw is used twice: two of these 231 24-bit draws agree by chance once in 630 seeds.
  const std::set<float> different(packed.begin() + 10, packed.end());
  CHECK(different.size() >= packed.size() - 10 - 1);
}

TEST_CASE("nested networks start as flat ones") {
  const auto scale = nn::Scale<5>::range({-1, -1, -1, -1, 0}, {1, 1, 1, 1, 4});
  std::vector<float> flat(Scaled::parameter_count), nested(Nested::parameter_count);
  Scaled(scale, {}, {}, {}).initialise(9, 0, flat.data());
  Nested(nn::Sequential<nn::Scale<5>, nn::Linear<5, 17, math::Relu>>(scale, {}), {})
      .initialise(9, 0, nested.data());
  CHECK(flat == nested);
}

TEST_CASE_TEMPLATE("nested networks give the same bits as flat ones", B, POLYQ_BACKENDS) {
  const auto packed = random(Scaled::parameter_count, 1);
  const auto x = random(5 * 7, 2), dy = random(3 * 7, 3);
  CHECK(run<B, Scaled, 7>(packed, x, dy) == run<B, Nested, 7>(packed, x, dy));
}

TEST_CASE_TEMPLATE("each layer finds its own scratch again", B, POLYQ_BACKENDS) {
  using Deep = nn::Mlp<5, 17, 18, 20, 3>;  // two of its weights are transposed on EigenCpu
  run<B, Deep, 7>(random(Deep::parameter_count, 1), random(5 * 7, 2), random(3 * 7, 3));
}

TEST_CASE("dx is computed only where something below is trained") {
  using Linear = nn::Linear<3, 3>;
  using Scale = nn::Scale<3>;
  CHECK(asked_of_probe<Probe, Linear>() == Asked::without_dx);
  CHECK(asked_of_probe<Linear, Probe>() == Asked::with_dx);
  CHECK(asked_of_probe<Scale, Probe, Linear>() == Asked::without_dx);
  CHECK(asked_of_probe<Scale, Linear, Probe>() == Asked::with_dx);
  CHECK(asked_of_probe<Scale, nn::Sequential<Probe, Linear>>() == Asked::without_dx);
  CHECK(asked_of_probe<nn::Sequential<Scale, Probe>, Linear>() == Asked::without_dx);
  CHECK(asked_of_probe<nn::Sequential<Scale, Linear>, Probe>() == Asked::with_dx);
  CHECK(asked_of_probe<Linear, nn::Sequential<Probe, Linear>>() == Asked::with_dx);
}

TEST_CASE_TEMPLATE("gradients of an Mlp beside central differences", B, POLYQ_BACKENDS) {
  check_gradient<B, nn::Mlp<4, 18, 20, 3>, 9>(
      {}, {false, {{4, 18, relu}, {18, 20, relu}, {20, 3, identity}}});
}

TEST_CASE_TEMPLATE("gradients of a scaled network beside central differences", B, POLYQ_BACKENDS) {
  const Scaled network(nn::Scale<5>::range({-1, -1, -1, -1, 0}, {1, 1, 1, 1, 4}), {}, {}, {});
  check_gradient<B, Scaled, 7>(network,
                               {true, {{5, 17, relu}, {17, 6, tangent}, {6, 3, identity}}});
}
