// SPDX-License-Identifier: MIT
// Distributional reads a network's output as atoms of actions and changes nothing else of it.
#include <doctest/doctest.h>

#include <polyq/nn/distributional.hpp>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/scale.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "passes.hpp"

namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

using Network = nn::DistributionalMlp<5, 4, 18, 17, 3>;
static_assert(std::is_base_of_v<nn::Distributional<5, nn::Mlp<4, 18, 17, 15>>, Network>);
static_assert(Network::atoms == 5 && Network::action_count == 3 && Network::out == 15);
static_assert(Network::observation_size == 4 && Network::layer_count == 3);
static_assert(nn::Network<Network> && nn::LayerOn<Network, test::Fast::Machine, 7>);
static_assert(nn::DistributionalMlp<2, 4, 3>::out == 6);

// Of any layer: a linear one, or two streams.
static_assert(nn::Network<nn::Distributional<2, nn::Linear<4, 6>>>);
using Streams = nn::Distributional<5, nn::Dueling<nn::Linear<4, 5>, nn::Linear<4, 15>>>;
static_assert(Streams::action_count == 3 && nn::Network<Streams>);

}  // namespace

TEST_CASE_TEMPLATE("passes are the inner network's", B, POLYQ_BACKENDS) {
  const auto packed = test::random(Network::parameter_count, 1);
  const auto x = test::random(4 * 7, 2), dy = test::random(15 * 7, 3);
  CHECK(test::passes<B, Network, 7>(packed, x, dy) ==
        test::passes<B, nn::Mlp<4, 18, 17, 15>, 7>(packed, x, dy));
}

TEST_CASE("it starts as the network that it is made of") {
  using Scaled = nn::Sequential<nn::Scale<2>, nn::Linear<2, 4>>;
  nn::Scale<2> scale;
  scale.factor = {3, 4};
  const nn::Distributional<2, Scaled> network{Scaled(scale, {})};
  std::vector<float> packed(network.parameter_count), inner(packed.size());
  network.initialise(3, 7, packed.data());
  Scaled(scale, {}).initialise(3, 7, inner.data());
  CHECK(packed == inner);
  CHECK(packed[0] == 3);
}
