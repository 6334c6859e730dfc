// SPDX-License-Identifier: MIT
// RainbowMlp is made of the three, and gives what PyTorch gives.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/nn/rainbow.hpp>
#include <type_traits>

#include "backends.hpp"
#include "passes.hpp"

namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

template <int In, int Hidden, int Out>
using Stream = nn::Sequential<nn::Noisy<In, Hidden, math::Relu>, nn::Noisy<Hidden, Out>>;

using Network = nn::RainbowMlp<5, 4, 18, 17, 3>;
static_assert(
    std::is_base_of_v<
        nn::Distributional<5, nn::Sequential<nn::Linear<4, 18, math::Relu>,
                                             nn::Dueling<Stream<18, 17, 5>, Stream<18, 17, 15>>>>,
        Network>);
static_assert(Network::atoms == 5 && Network::action_count == 3 && Network::out == 15);
static_assert(Network::explores && Network::layer_count == 5 && nn::Network<Network>);
static_assert(nn::LayerOn<Network, test::Fast::Machine, 64>);
// One hidden layer: noisy streams from the input. Three: the second is noisy too.
static_assert(std::is_base_of_v<nn::Sequential<nn::Dueling<Stream<4, 18, 5>, Stream<4, 18, 15>>>,
                                nn::RainbowMlp<5, 4, 18, 3>>);
static_assert(
    std::is_base_of_v<nn::Sequential<nn::Linear<4, 8, math::Relu>, nn::Noisy<8, 9, math::Relu>,
                                     nn::Dueling<Stream<9, 7, 5>, Stream<9, 7, 15>>>,
                      nn::RainbowMlp<5, 4, 8, 9, 7, 3>>);

}  // namespace

TEST_CASE_TEMPLATE("as PyTorch: outputs, and gradients of parameters and input", B,
                   POLYQ_BACKENDS) {
  test::check_beside_torch<B, Network, 7>("rainbow.txt",
                                          {nn::Role::online, {7, (std::uint64_t{1} << 32) + 1}, 9});
}
