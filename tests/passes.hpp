// SPDX-License-Identifier: MIT
// Both passes of a network on a backend, as its contract allows them to be called, and beside
// PyTorch's in a file of tests/data/torch_networks.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/core/random.hpp>
#include <polyq/nn/concept.hpp>
#include <string>
#include <vector>

#include "golden.hpp"
#include "memory.hpp"

namespace test {

/// Uniform in [-1, 1).
inline std::vector<float> random(std::size_t count, std::uint64_t salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = 2 * polyq::core::uniform(
                        polyq::core::philox(4, polyq::core::Stream::init, salt, i).word[0]) -
                1;
  return values;
}

/// What a pass is for, and what its clock shows.
struct When {
  polyq::nn::Role role = polyq::nn::Role::online;
  polyq::core::Clock clock = {};
  std::uint64_t seed = 0;
};

/// What both passes over a batch give, without pads: y [out, B], dx [in, B], a sample after
/// another.
struct Passes {
  std::vector<float> y, gradient, dx;
  bool operator==(const Passes&) const = default;
};

/// The backend, in the order that asks most of a functor where it has a choice.
template <class B>
B strictest() {
  B settings{};
  if constexpr (requires { settings.order; }) settings.order = decltype(settings.order)::shuffled;
  return settings;
}

/// Tape, scratch and outputs hold NaN before; pads of the gradient must stay zero, and so must
/// those of y and dx where the backend writes them. A pass gives the same bits again and again.
template <class B, class Network, int Samples, class Below = polyq::math::Identity>
Passes passes(const std::vector<float>& packed, const std::vector<float>& x,
              const std::vector<float>& dy, const When& when = {}) {
  namespace backend = polyq::backend;
  using Storage = typename B::Machine::Storage;
  using X = backend::Activations<Storage, float, Network::in, Samples>;
  using Y = backend::Activations<Storage, float, Network::out, Samples>;
  constexpr auto blocks = Network::template blocks<Storage>();
  constexpr float garbage = std::numeric_limits<float>::quiet_NaN();
  typename B::Machine machine(strictest<B>());
  const auto padded = [](const std::vector<float>& values, int rows, int stride) {
    std::vector<float> floats(std::size_t(stride) * Samples);
    for (std::size_t i = 0; i < values.size(); ++i)
      floats[i / rows * stride + i % rows] = values[i];
    return floats;
  };
  const auto unpadded = [](std::vector<float> floats, int rows, int stride) {
    std::vector<float> values;
    for (int s = 0; s < Samples; ++s)
      for (int i = 0; i < stride; ++i) {
        const float value = floats[std::size_t(s) * stride + i];
        if (i < rows)
          values.push_back(value);
        else
          CHECK((value == 0 || std::isnan(value)));
      }
    return values;
  };
  std::vector<float> floats(Network::template parameters<Storage>());
  polyq::core::for_each_parameter(blocks,
                                  [&](std::size_t i, std::size_t at) { floats[at] = packed[i]; });

  const auto parameters = uploaded(machine, floats),
             gradient = uploaded(machine, std::vector<float>(floats.size())),
             from = uploaded(machine, padded(x, Network::in, X::stride)),
             slope = uploaded(machine, padded(dy, Network::out, Y::stride)),
             out = uploaded(machine, std::vector<float>(Y::stride * Samples, garbage)),
             down = uploaded(machine, std::vector<float>(X::stride * Samples, garbage)),
             tape = uploaded(
                 machine,
                 std::vector<float>(Network::template tape_size<Storage, Samples>() + 1, garbage)),
             scratch = uploaded(
                 machine, std::vector<float>(Network::template scratch_size<Storage, Samples>() + 1,
                                             garbage));
  const auto clock = uploaded(machine, std::vector<polyq::core::Clock>{when.clock});
  Passes result;
  for (int round = 0; round < 3; ++round) {  // a pass must not add to the one before
    const polyq::nn::Pass pass{when.role, clock.get(), when.seed, round == 2};
    Network::forward(machine, parameters.get(), polyq::core::as_const(X{from.get()}), Y{out.get()},
                     tape.get(), pass);
    Network::template backward<Below>(
        machine, parameters.get(), polyq::core::as_const(X{from.get()}), tape.get(),
        polyq::core::as_const(Y{slope.get()}), gradient.get(), X{down.get()}, scratch.get(), pass);
    Passes now;
    now.y = unpadded(downloaded(machine, out.get(), Y::stride * Samples), Network::out, Y::stride);
    now.dx = unpadded(downloaded(machine, down.get(), X::stride * Samples), Network::in, X::stride);
    now.gradient.resize(packed.size());
    floats = downloaded(machine, gradient.get(), floats.size());
    polyq::core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) {
      now.gradient[i] = floats[at];
      floats[at] = 0;
    });
    CHECK(floats == std::vector<float>(floats.size()));
    if (round != 0) CHECK(now == result);
    result = now;
  }
  return result;
}

/// max |a − b| / max |b|.
inline double relative_gap(const float* a, const double* b, std::size_t count) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double gap = std::abs(a[i] - b[i]);
    worst = gap <= worst ? worst : gap;  // NaN stays
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

/// y, dx and every tensor's gradient of sum(dy · y) beside PyTorch's in float64. The bound is
/// roundings of 2^-24 in up to four sums of up to 20 terms forward and as many back, which add up
/// as roots do: 8 √20 2^-24 = 2.1e-6 at most; half of it is never reached.
template <class B, class Network, int Samples>
void check_beside_torch(const std::string& file, const When& when = {}, double bound = 1e-6) {
  const Golden golden("torch_networks/" + file);
  const auto floats = [&](const char* name, bool by_sample) {
    const Tensor& tensor = golden[name];
    std::vector<float> values;
    if (by_sample)
      for (int s = 0; s < tensor.columns; ++s)
        for (int i = 0; i < tensor.rows; ++i) values.push_back(float(tensor(i, s)));
    else
      for (const double value : tensor.values) values.push_back(float(value));
    return values;
  };
  const auto doubles = [&](const char* name) {
    const Tensor& tensor = golden[name];
    std::vector<double> values;
    for (int s = 0; s < tensor.columns; ++s)
      for (int i = 0; i < tensor.rows; ++i) values.push_back(tensor(i, s));
    return values;
  };
  const auto parameters = floats("parameters", false);
  REQUIRE(parameters.size() == Network::parameter_count);
  REQUIRE(golden["x"].columns == Samples);
  const Passes got =
      passes<B, Network, Samples>(parameters, floats("x", true), floats("dy", true), when);
  const auto y = doubles("y"), dx = doubles("dx"), gradient = doubles("gradient");
  REQUIRE(got.y.size() == y.size());
  REQUIRE(got.dx.size() == dx.size());
  REQUIRE(got.gradient.size() == gradient.size());
  CHECK(relative_gap(got.y.data(), y.data(), y.size()) <= bound);
  CHECK(relative_gap(got.dx.data(), dx.data(), dx.size()) <= bound);
  std::size_t first = 0;
  for (const auto& block : Network::template blocks<typename B::Machine::Storage>()) {
    const std::size_t count = std::size_t(block.rows) * block.columns;
    INFO("layer ", block.layer, ", ", block.name);
    CHECK(relative_gap(&got.gradient[first], &gradient[first], count) <= bound);
    first += count;
  }
}

/// Every gradient beside central differences of `loss`, the network in double on packed parameters.
/// They err by h² f‴ / 6 and by loss · 2^-53 / h, both below 1e-9 here; what is seen is float's
/// rounding, bounded as beside PyTorch.
template <class Network, class Loss>
void check_differences(const std::vector<float>& gradient, std::vector<double> packed, Loss loss,
                       double bound = 1.6e-6) {
  constexpr double h = 1e-5;
  std::size_t i = 0;
  for (const auto& block : Network::template blocks<polyq::backend::Reference::Storage>()) {
    std::vector<double> differences;
    const std::size_t first = i;
    for (int n = 0; n < block.rows * block.columns; ++n, ++i) {
      const double value = packed[i];
      packed[i] = value + h;
      const double above = loss(packed);
      packed[i] = value - h;
      differences.push_back((above - loss(packed)) / (2 * h));
      packed[i] = value;
    }
    INFO("layer ", block.layer, ", ", block.name);
    CHECK(relative_gap(&gradient[first], differences.data(), differences.size()) <= bound);
  }
}

}  // namespace test
