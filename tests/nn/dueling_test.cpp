// SPDX-License-Identifier: MIT
// Dueling: by hand, as PyTorch computes it, places, starts and numbers of its streams.
#include <doctest/doctest.h>

#include <algorithm>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/scale.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "passes.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

template <int In, int Hidden, int Out>
using Stream = nn::Sequential<nn::Linear<In, Hidden, math::Relu>, nn::Linear<Hidden, Out>>;

using Whole = nn::DuelingMlp<5, 18, 17, 3>;
using AtInput = nn::DuelingMlp<4, 20, 2>;
using OfAtoms = nn::Sequential<nn::Linear<4, 17, math::Tanh>,
                               nn::Dueling<Stream<17, 18, 5>, Stream<17, 18, 15>>>;
using Activated = nn::Dueling<nn::Linear<6, 2, math::Tanh>, nn::Linear<6, 8, math::Tanh>>;

// The last hidden layer and the output are doubled; with one hidden layer the streams see the
// input.
static_assert(std::is_base_of_v<nn::Sequential<nn::Linear<5, 18, math::Relu>,
                                               nn::Dueling<Stream<18, 17, 1>, Stream<18, 17, 3>>>,
                                Whole>);
static_assert(
    std::is_base_of_v<nn::Sequential<nn::Dueling<Stream<4, 20, 1>, Stream<4, 20, 2>>>, AtInput>);
static_assert(
    std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Relu>, nn::Linear<8, 16, math::Relu>,
                                     nn::Dueling<Stream<16, 9, 1>, Stream<16, 9, 2>>>,
                      nn::DuelingMlp<4, 8, 16, 9, 2>>);
static_assert(Whole::observation_size == 5 && Whole::action_count == 3 && Whole::out == 3);
static_assert(Whole::layer_count == 5 && AtInput::layer_count == 4 && Whole::trained);
static_assert(Whole::parameter_count == 6 * 18 + 2 * 19 * 17 + 18 + 18 * 3);
static_assert(OfAtoms::out == 15 && !Whole::explores);
static_assert(std::is_same_v<Whole::Output, math::Identity>);
static_assert(nn::Network<Whole> && nn::Network<Activated>);
static_assert(nn::LayerOn<Whole, backend::Reference::Machine, 3>);
static_assert(nn::LayerOn<OfAtoms, test::Fast::Machine, 64>);

/// A layer that notes the numbers by which passes call it, and explores.
struct Numbered : nn::Linear<3, 3> {
  static constexpr bool explores = true;
  static inline std::vector<int> calls;
  template <class Machine, class X, class Y>
  static void forward(Machine&, const float*, X, Y, float*, const nn::Pass& pass) {
    calls.push_back(pass.layer);
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine&, const float*, X, const float*, DY, float*, DX, float*,
                       const nn::Pass& pass) {
    calls.push_back(100 + pass.layer);
  }
};

}  // namespace

// x = (2, 1) and (4, −1), V = 5 x₀ = 10 and 20, Adv = (2, 2, 5) x₁ + (0, 1, 2) = (2, 3, 7) and
// (−2, −1, −3), of means 4 and −2. dy = (3, 0, 0) and (0, 3, 3): dV = 3 and 6, a third of it from
// each dy: dAdv = (2, −1, −1) and (−2, 1, 1).
TEST_CASE_TEMPLATE("both passes by hand", B, POLYQ_BACKENDS) {
  using Layer = nn::Dueling<nn::Linear<2, 1>, nn::Linear<2, 3>>;
  const std::vector<float> packed{5, 0, 0, /**/ 0, 2, 0, 2, 0, 5, 0, 1, 2};
  const auto got = test::passes<B, Layer, 2>(packed, {2, 1, 4, -1}, {3, 0, 0, 0, 3, 3});
  CHECK(got.y == std::vector<float>{8, 9, 13, 20, 21, 19});
  // dV xᵀ = (6 + 24, 3 − 6), Σ dV = 9; dAdv xᵀ = (4 − 8, 2 + 2) and twice (−2 + 4, −1 − 1).
  CHECK(got.gradient == std::vector<float>{30, -3, 9, /**/ -4, 4, 2, -2, 2, -2, 0, 0, 0});
  CHECK(got.dx == std::vector<float>{15, -3, 30, 3});  // 5 dV, and (2, 2, 5) · dAdv
}

TEST_CASE_TEMPLATE("as PyTorch: outputs, and gradients of parameters and input", B,
                   POLYQ_BACKENDS) {
  test::check_beside_torch<B, Whole, 7>("dueling.txt");
  test::check_beside_torch<B, AtInput, 9>("dueling_at_input.txt");
  test::check_beside_torch<B, OfAtoms, 5>("dueling_atoms.txt");
  test::check_beside_torch<B, Activated, 6>("dueling_activated.txt");
}

TEST_CASE_TEMPLATE("a constant added to all advantages of a state changes nothing", B,
                   POLYQ_BACKENDS) {
  using Layer = nn::Dueling<nn::Linear<3, 1>, nn::Linear<3, 4>>;
  std::vector<float> packed = test::random(Layer::parameter_count, 1);
  const auto x = test::random(3 * 5, 2), dy = test::random(4 * 5, 3);
  const auto before = test::passes<B, Layer, 5>(packed, x, dy).y;
  for (std::size_t i = packed.size() - 4; i < packed.size(); ++i) packed[i] += 2;  // their biases
  const auto after = test::passes<B, Layer, 5>(packed, x, dy).y;
  // Sums near 2 round by 2^-23 of themselves, four of them: 1e-6.
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(std::abs(after[i] - before[i]) <= 1e-6f);
}

TEST_CASE_TEMPLATE("the input's gradient has the slope of what made the input, once", B,
                   POLYQ_BACKENDS) {
  using Layer = nn::Dueling<nn::Linear<3, 1>, nn::Linear<3, 2>>;
  const auto packed = test::random(Layer::parameter_count, 1);
  const auto x = test::random(3 * 5, 2), dy = test::random(2 * 5, 3);
  const auto plain = test::passes<B, Layer, 5>(packed, x, dy).dx;
  const auto pulled = test::passes<B, Layer, 5, math::Tanh>(packed, x, dy).dx;
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(pulled[i] == doctest::Approx(plain[i] * (1 - x[i] * x[i])).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("blocks are apart, inside the parameters, and in the order of layers", B,
                   POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  constexpr auto blocks = Whole::template blocks<Storage>();
  static_assert(blocks.size() == 10);
  std::vector<int> uses(Whole::template parameters<Storage>());
  core::for_each_parameter(blocks, [&](std::size_t, std::size_t at) {
    REQUIRE(at < uses.size());
    CHECK(++uses[at] == 1);
  });
  for (int i = 0; i < 10; ++i) {
    CHECK(blocks[i].layer == i / 2);
    CHECK(blocks[i].offset % Storage::granule == 0);
  }
}

TEST_CASE("streams start as if alone, the values' first, with what their layers hold") {
  using Layer = nn::Dueling<nn::Linear<3, 1>, nn::Sequential<nn::Scale<3>, nn::Linear<3, 2>>>;
  nn::Scale<3> scale;
  scale.factor = {2, 3, 4};
  const Layer layer{{}, nn::Sequential<nn::Scale<3>, nn::Linear<3, 2>>(scale, {})};
  std::vector<float> packed(Layer::parameter_count), alone(8);
  layer.initialise(9, 5, packed.data());
  nn::Linear<3, 1>{}.initialise(9, 5, alone.data());
  CHECK(std::equal(&alone[0], &alone[4], &packed[0]));
  CHECK(std::vector<float>(&packed[4], &packed[10]) == std::vector<float>{2, 3, 4, 0, 0, 0});
  nn::Linear<3, 2>{}.initialise(9, 15, alone.data());
  CHECK(std::equal(alone.begin(), alone.end(), &packed[10]));
}

TEST_CASE("streams are numbered one behind the other, and one that explores is enough") {
  using Two = nn::Sequential<Numbered, Numbered>;
  using Network = nn::Sequential<Numbered, nn::Dueling<Two, Numbered>>;
  static_assert(Network::explores && nn::Dueling<Numbered, nn::Linear<3, 3>>::explores);
  backend::Reference::Machine machine(backend::Reference{});
  std::vector<float> floats(1000);
  const core::Matrix<float, 3, 1> any{floats.data()};
  const nn::Pass pass{nn::Role::online, nullptr, 0};
  Network::forward(machine, any.data, any, any, any.data, pass);
  CHECK(Numbered::calls == std::vector<int>{0, 1, 2, 3});
  Numbered::calls.clear();
  Network::backward<math::Identity>(machine, any.data, any, any.data, any, any.data, core::Absent{},
                                    any.data, pass);
  CHECK(Numbered::calls == std::vector<int>{102, 101, 103, 100});
}
