// SPDX-License-Identifier: MIT
// OfDistributions: which networks are accepted, whose numbers choose at s′ and among which actions,
// and where the gradient of the action taken begins.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/dqn/distribution.hpp>
#include <polyq/nn/distributional.hpp>
#include <polyq/nn/sequential.hpp>
#include <vector>

#include "teams.hpp"

namespace nn = polyq::nn;
namespace rule = polyq::rule;

namespace {

constexpr int atoms = 2, actions = 4;

/// Opens what rules inherit; a mean is the first number.
template <rule::Selector selector>
struct Opened : rule::OfDistributions<atoms, selector> {
  static int choose(const rule::Sample& s) {
    return Opened::template greedy_next<actions>(s, [](const float* numbers) { return *numbers; });
  }
  template <class Team>
  static float* clear(const Team& team, const rule::Sample& s, float* gradient) {
    return rule::OfDistributions<atoms, selector>::template clear<actions>(team, s, gradient);
  }
};
using OfTarget = Opened<rule::Selector::target>;
using OfOnline = Opened<rule::Selector::online>;

static_assert(OfTarget::atoms == 2 && !OfTarget::reads_online_next && OfOnline::reads_online_next);
static_assert(OfTarget::accepts<nn::DistributionalMlp<2, 4, 8, 3>>);
static_assert(!OfTarget::accepts<nn::DistributionalMlp<3, 4, 8, 3>>);
static_assert(!OfTarget::accepts<nn::Mlp<4, 8, 6>>);

}  // namespace

TEST_CASE("the chooser's largest mean, the lowest among equals, among the legal") {
  const float next[] = {1, 0, 5, 0, 5, 0, 2, 0}, online[] = {1, 0, 2, 0, 3, 0, 4, 0};
  rule::Sample sample{nullptr, next, online, 0, 0, 1};
  CHECK(OfTarget::choose(sample) == 1);
  CHECK(OfOnline::choose(sample) == 3);
  const auto legal = [&](std::uint32_t mask) {
    sample.legal_next = &mask;
    return std::vector<int>{OfTarget::choose(sample), OfOnline::choose(sample)};
  };
  CHECK(legal(0b1111) == std::vector<int>{1, 3});
  CHECK(legal(0b1101) == std::vector<int>{2, 3});
  CHECK(legal(0b0101) == std::vector<int>{2, 2});
  CHECK(legal(0b0001) == std::vector<int>{0, 0});
  CHECK(legal(0b1000) == std::vector<int>{3, 3});
  CHECK(legal(0) == std::vector<int>{0, 0});
}

TEST_CASE("masks at s say nothing of s'") {
  const float next[] = {1, 0, 5, 0, 4, 0, 2, 0};
  const std::uint32_t legal = 0b0001;
  rule::Sample sample{nullptr, next, nullptr, 0, 0, 1};
  sample.legal = &legal;
  CHECK(OfTarget::choose(sample) == 1);
}

TEST_CASE("a gradient is cleared and begins at the action taken") {
  test::every_team([](const auto& team) {
    std::vector<float> gradient(9, 7);
    const rule::Sample sample{nullptr, nullptr, nullptr, 3, 0, 1};
    CHECK(OfTarget::clear(team, sample, gradient.data()) == gradient.data() + 6);
    CHECK(gradient == std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 7});
  });
}
