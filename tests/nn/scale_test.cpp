// SPDX-License-Identifier: MIT
// Scale maps a range to [-1, 1], its numbers lie among the parameters and are never trained.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <polyq/nn/scale.hpp>
#include <string>
#include <vector>

#include "backends.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace nn = polyq::nn;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
const nn::Pass pass{nn::Role::online, nullptr, 0};

/// Forward of `samples`, [O, Samples] one sample after another; checks that pads stay zero.
template <class B, int Samples, std::size_t O>
std::vector<float> scaled(const nn::Scale<int(O)>& scale,
                          const std::array<std::array<float, O>, Samples>& samples) {
  using Storage = typename B::Machine::Storage;
  using Layer = nn::Scale<int(O)>;
  using X = backend::Activations<Storage, float, int(O), Samples>;
  std::vector<float> packed(Layer::parameter_count), padded(Layer::template parameters<Storage>());
  scale.initialise(1, 0, packed.data());
  core::for_each_parameter(Layer::template blocks<Storage>(),
                           [&](std::size_t i, std::size_t at) { padded[at] = packed[i]; });
  std::vector<float> in(X::stride * Samples), out(in.size(), 99);
  for (int s = 0; s < Samples; ++s)
    for (std::size_t i = 0; i < O; ++i) X{in.data()}(int(i), s) = samples[s][i];

  typename B::Machine machine(B{});
  const auto parameters = machine.template allocate<float>(padded.size());
  const auto x = machine.template allocate<float>(in.size());
  const auto y = machine.template allocate<float>(in.size());
  machine.upload(parameters.get(), padded.data(), padded.size());
  machine.upload(x.get(), in.data(), in.size());
  machine.upload(y.get(), out.data(), out.size());
  Layer::forward(machine, parameters.get(), X{x.get()}, X{y.get()}, nullptr, pass);
  machine.download(out.data(), y.get(), out.size());

  std::vector<float> values;
  for (int s = 0; s < Samples; ++s)
    for (int row = 0; row < X::stride; ++row) {
      const float value = out[s * X::stride + row];
      if (row < int(O))
        values.push_back(value);
      else
        CHECK(value == 0);
    }
  return values;
}

}  // namespace

// [-2, 6]: factor 2/8, shift -4/8. [0, 1]: factor 2, shift -1. All of it exact in binary.
TEST_CASE_TEMPLATE("a range maps to [-1, 1]", B, POLYQ_BACKENDS) {
  const auto scale = nn::Scale<2>::range({-2, 0}, {6, 1});
  const std::array<std::array<float, 2>, 4> samples{{{-2, 0}, {6, 1}, {2, .5f}, {10, -1}}};
  CHECK(scaled<B, 4>(scale, samples) == std::vector<float>{-1, -1, 1, 1, 0, 0, 2, -3});
}

TEST_CASE_TEMPLATE("factors and shifts as given, in more features than a packet has", B,
                   POLYQ_BACKENDS) {
  nn::Scale<33> scale;
  std::array<std::array<float, 33>, 1> sample;
  std::vector<float> expected;
  for (int i = 0; i < 33; ++i) {
    scale.factor[i] = float(i + 1);
    scale.shift[i] = float(-i);
    sample[0][i] = 3;
    expected.push_back(float(2 * i + 3));
  }
  CHECK(scaled<B, 1>(scale, sample) == expected);
}

TEST_CASE_TEMPLATE("factor and shift have places of their own, and are not trained", B,
                   POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  using Layer = nn::Scale<21>;
  static_assert(!Layer::trained && Layer::parameter_count == 42);
  constexpr auto blocks = Layer::blocks<Storage>();
  CHECK(std::string(blocks[0].name) == "factor");
  CHECK(std::string(blocks[1].name) == "shift");
  static_assert(!blocks[0].trained && !blocks[1].trained);
  std::vector<int> uses(Layer::parameters<Storage>());
  core::for_each_parameter(blocks, [&](std::size_t, std::size_t at) {
    REQUIRE(at < uses.size());
    CHECK(++uses[at] == 1);
  });
}

TEST_CASE_TEMPLATE("backward leaves the gradient as it is", B, POLYQ_BACKENDS) {
  using Layer = nn::Scale<3>;
  using X = core::Matrix<float, 3, 2>;
  typename B::Machine machine(B{});
  constexpr std::size_t size = Layer::parameters<typename B::Machine::Storage>();
  const auto memory = machine.template allocate<float>(size);
  machine.zero(memory.get(), size * sizeof(float));
  Layer::backward<polyq::math::Identity>(machine, memory.get(), X{}, nullptr, X{}, memory.get(),
                                         core::Absent{}, nullptr, pass);
  std::vector<float> gradient(size, 99);
  machine.download(gradient.data(), memory.get(), size);
  CHECK(gradient == std::vector<float>(size));
}

TEST_CASE("a range has a finite width above 0, which the error shows") {
  using Layer = nn::Scale<2>;
  CHECK_THROWS_WITH_AS(
      Layer::range({0, 1}, {1, 1}),
      doctest::Contains("Scale.range, a width high - low = 0; allowed: finite and > 0"),
      polyq::SettingsError);
  CHECK_THROWS_WITH_AS(
      Layer::range({0, 3}, {1, 1}),
      doctest::Contains("Scale.range, a width high - low = -2; allowed: finite and > 0"),
      polyq::SettingsError);
  CHECK_THROWS_AS(Layer::range({0, not_a_number}, {1, 1}), polyq::SettingsError);
  CHECK_THROWS_AS(Layer::range({0, 0}, {1, not_a_number}), polyq::SettingsError);
}

TEST_CASE("an endless range cannot be mapped; it would make every input 0 or not a number") {
  using Layer = nn::Scale<1>;
  constexpr float largest = std::numeric_limits<float>::max();
  CHECK_THROWS_AS(Layer::range({-infinity}, {infinity}), polyq::SettingsError);
  CHECK_THROWS_AS(Layer::range({0}, {infinity}), polyq::SettingsError);
  CHECK_THROWS_AS(Layer::range({-largest}, {largest}), polyq::SettingsError);
}

TEST_CASE("it changes nothing unless told to, and refuses numbers that would blind a network") {
  using Layer = nn::Scale<2>;
  float packed[4];
  Layer{}.initialise(1, 0, packed);
  CHECK(std::vector<float>(packed, packed + 4) == std::vector<float>{1, 1, 0, 0});
  CHECK_THROWS_WITH_AS((Layer{{1, 0}, {}}.initialise(1, 0, packed)),
                       "polyq: Scale.factor[1] = 0; allowed: finite and not 0",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS((Layer{{1, 1}, {not_a_number, 0}}.initialise(1, 0, packed)),
                       "polyq: Scale.shift[0] = nan; allowed: finite", polyq::SettingsError);
}
