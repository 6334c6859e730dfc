// SPDX-License-Identifier: MIT
// Rules: by hand, and beside PyTorch: loss, temporal-difference errors and every gradient of
// Q-learning and double Q-learning, squared and Huber, through a whole update. A sample's weight
// multiplies its gradient and never its error.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <polyq/dqn/dqn.hpp>
#include <polyq/dqn/rule.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "golden_update.hpp"

namespace {

namespace math = polyq::math;
namespace nn = polyq::nn;
namespace rule = polyq::rule;

/// The library's four rules of values behind one type, so that an agent is compiled once for all.
struct AnyRule {
  static constexpr bool reads_online_next = true;
  template <class Network>
  static constexpr bool accepts = true;
  struct Loss {
    bool huber;
    double value(double error) const {
      return huber ? math::Huber{}.value(error) : math::Squared{}.value(error);
    }
  };
  bool doubled;
  Loss loss;
  // Made on the host, since a device cannot call their constructors.
  rule::QLearning<> squared = {};
  rule::QLearning<math::Huber> huber = {};
  rule::DoubleQLearning<> double_squared = {};
  rule::DoubleQLearning<math::Huber> double_huber = {};

  void check() const {}
  template <int A>
  POLYQ_HD static const float* values(const float* output, float* /*room*/) {
    return output;
  }
  template <int A>
  POLYQ_HD float learn(const rule::Sample& s, float scale, float* gradient) const {
    if (doubled)
      return loss.huber ? double_huber.template learn<A>(s, scale, gradient)
                        : double_squared.template learn<A>(s, scale, gradient);
    return loss.huber ? huber.template learn<A>(s, scale, gradient)
                      : squared.template learn<A>(s, scale, gradient);
  }
};

// Rules that lack a part.
struct Uncheckable : AnyRule {
  void check() = delete;
};
struct Valueless : AnyRule {
  template <int A>
  static void values(const float*, float*);
};
struct Errorless : AnyRule {
  template <int A>
  void learn(const rule::Sample&, float, float*) const;
};
struct Silent : AnyRule {
  void reads_online_next() const;
};

/// A network of 51 values an action.
struct Distribution {
  static constexpr int action_count = 2, out = 102;
};

using test::learn;
using test::Learned;

void compare(const Learned& learned, const test::Golden& golden, const std::string& name,
             const AnyRule::Loss& of) {
  // Floats beside PyTorch's doubles. An error is the difference of values up to 3, each a sum of
  // up to 33 products: some ten roundings of 1.2e-7. Gradients: the same through three layers.
  test::compare(learned, golden, name, 1e-6, 1e-6);
  double sum = 0;
  for (const float error : learned.td) sum += of.value(double(error)) / double(learned.td.size());
  const double loss = golden[name + ".loss"](0);
  CHECK(std::abs(sum - loss) < 1e-6 * loss);
}

template <class B, class Network, int BatchSize>
void compare_all(const std::string& file) {
  const test::Golden golden(file);
  for (const bool doubled : {false, true})
    for (const bool huber : {false, true})
      compare(learn<B, Network>(test::GoldenBatch<BatchSize>{&golden}, AnyRule{doubled, {huber}}),
              golden,
              std::string(doubled ? "double_" : "") + "q_learning." + (huber ? "huber" : "squared"),
              {huber});
}

}  // namespace

TEST_CASE("an error and its gradient by hand") {
  const float now[3] = {1, 2, 3}, next[3] = {4, 6, 5}, next_online[3] = {9, 1, 2};
  const rule::Sample sample{now, next, next_online, 1, .5f, .5f};
  float gradient[3] = {7, 7, 7};
  const auto gradient_is = [&](float value) {
    return gradient[0] == 0 && gradient[1] == value && gradient[2] == 0;
  };
  // 2 − (0.5 + 0.5 · 6) = −1.5; the target's largest value.
  CHECK(rule::QLearning{}.learn<3>(sample, .25f, gradient) == -1.5f);
  CHECK(gradient_is(.25f * 2 * -1.5f));
  // 2 − (0.5 + 0.5 · 4) = −0.5; the target's value where the online network's is largest.
  CHECK(rule::DoubleQLearning{}.learn<3>(sample, .25f, gradient) == -.5f);
  CHECK(gradient_is(.25f * 2 * -.5f));
  // Huber's slope ends at its delta; the error is not clipped.
  CHECK(rule::QLearning(math::Huber{.delta = 1}).learn<3>(sample, .25f, gradient) == -1.5f);
  CHECK(gradient_is(.25f * -1));
  CHECK(rule::DoubleQLearning(math::Huber{}).learn<3>(sample, .25f, gradient) == -.5f);
  CHECK(gradient_is(.25f * -.5f));

  const rule::Sample terminated{now, next, next_online, 2, .5f, 0};
  CHECK(rule::QLearning{}.learn<3>(terminated, 1, gradient) == 2.5f);
  CHECK(gradient[2] == 5);
}

TEST_CASE("the maximum at s' skips what is illegal there, though it be the largest") {
  const float now[3] = {1, 2, 3}, next[3] = {4, 6, 5}, next_online[3] = {9, 1, 2};
  rule::Sample sample{now, next, next_online, 1, .5f, .5f};
  const std::uint32_t at_s = 0b010, without_1 = 0b101, without_0 = 0b110;
  float gradient[3];
  sample.legal = &at_s;
  sample.legal_next = &without_1;
  // 2 − (0.5 + 0.5 · 5) = −1: of 4 and 5, not of 6.
  CHECK(rule::QLearning{}.learn<3>(sample, 1, gradient) == -1);
  // 2 − (0.5 + 0.5 · 4): the online network's 9 is legal.
  CHECK(rule::DoubleQLearning{}.learn<3>(sample, 1, gradient) == -.5f);
  sample.legal_next = &without_0;
  CHECK(rule::QLearning{}.learn<3>(sample, 1, gradient) == -1.5f);
  // 2 − (0.5 + 0.5 · 5): of 1 and 2, not of 9.
  CHECK(rule::DoubleQLearning{}.learn<3>(sample, 1, gradient) == -1);
  CHECK(gradient[0] == 0);
  CHECK(gradient[1] == -2);
  CHECK(gradient[2] == 0);
}

TEST_CASE("rules of values read the output itself, and accept networks of one value an action") {
  using Network = nn::Mlp<4, 8, 2>;
  static_assert(rule::QLearning<>::accepts<Network> && rule::DoubleQLearning<>::accepts<Network>);
  static_assert(!rule::QLearning<>::accepts<Distribution>);
  static_assert(!rule::DoubleQLearning<>::accepts<Distribution>);
  static_assert(!rule::QLearning<>::reads_online_next);
  static_assert(rule::DoubleQLearning<>::reads_online_next);
  static_assert(std::is_same_v<decltype(rule::QLearning{}), rule::QLearning<math::Squared>>);
  const float output[2] = {1, 2};
  float room[2];
  CHECK(rule::QLearning<>::values<2>(output, room) == output);
}

TEST_CASE("the concept takes the library's rules and a user's, and no broken one") {
  using Network = nn::Mlp<4, 8, 2>;
  static_assert(rule::RuleOn<rule::QLearning<>, Network>);
  static_assert(rule::RuleOn<rule::QLearning<math::Huber>, Network>);
  static_assert(rule::RuleOn<rule::DoubleQLearning<>, Network>);
  static_assert(rule::RuleOn<AnyRule, Network>);
  static_assert(!rule::RuleOn<Uncheckable, Network>);
  static_assert(!rule::RuleOn<Valueless, Network>);
  static_assert(!rule::RuleOn<Errorless, Network>);
  static_assert(!rule::RuleOn<Silent, Network>);
  static_assert(!rule::RuleOn<int, Network>);
}

TEST_CASE_TEMPLATE("loss, errors and gradients are PyTorch's, 4-16-12-2", B, POLYQ_BACKENDS) {
  using Network = nn::Mlp<4, 16, 12, 2>;
  const test::Golden golden("torch_update/mlp_4_16_12_2_relu.txt");
  const auto check = [&](auto rule, const char* name) {
    const bool huber = std::is_same_v<decltype(rule.loss), math::Huber>;
    compare(learn<B, Network>(test::GoldenBatch<8>{&golden}, rule), golden, name, {huber});
  };
  check(rule::QLearning{}, "q_learning.squared");
  check(rule::QLearning(math::Huber{}), "q_learning.huber");
  check(rule::DoubleQLearning{}, "double_q_learning.squared");
  check(rule::DoubleQLearning(math::Huber{}), "double_q_learning.huber");
}

TEST_CASE_TEMPLATE("loss, errors and gradients are PyTorch's, 4-33-17-3 with tanh", B,
                   POLYQ_BACKENDS) {
  compare_all<B, nn::MlpOf<math::Tanh, 4, 33, 17, 3>, 7>("torch_update/mlp_4_33_17_3_tanh.txt");
}

TEST_CASE_TEMPLATE("loss, errors and gradients are PyTorch's, 5-31-18-4", B, POLYQ_BACKENDS) {
  compare_all<B, nn::Mlp<5, 31, 18, 4>, 13>("torch_update/mlp_5_31_18_4_relu.txt");
}

TEST_CASE_TEMPLATE("a weight multiplies a sample's gradient and never its error", B,
                   POLYQ_BACKENDS) {
  using Network = nn::Mlp<4, 16, 12, 2>;
  const test::Golden golden("torch_update/mlp_4_16_12_2_relu.txt");
  const rule::QLearning huber(math::Huber{});
  const auto weighted = [&](const std::array<float, 8>& weights) {
    return learn<B, Network>(test::GoldenBatch<8, true>{&golden, weights}, huber);
  };
  const Learned plain = learn<B, Network>(test::GoldenBatch<8>{&golden}, huber);

  const Learned ones = weighted({1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(ones.td == plain.td);
  CHECK(ones.gradient == plain.gradient);

  const Learned quarters = weighted({.25f, .25f, .25f, .25f, .25f, .25f, .25f, .25f});
  CHECK(quarters.td == plain.td);
  for (std::size_t i = 0; i < plain.gradient.size(); ++i)
    CHECK(quarters.gradient[i] == .25f * plain.gradient[i]);  // a power of two is exact

  // Different weights: the sum of each sample's gradient times its weight.
  const std::array<float, 8> weights{.5f, 3, 0, 1.25f, .75f, 2, .125f, 1};
  const Learned mixed = weighted(weights);
  CHECK(mixed.td == plain.td);
  std::vector<double> sum(plain.gradient.size());
  for (int sample = 0; sample < 8; ++sample) {
    std::array<float, 8> only{};
    only[sample] = 1;
    const Learned one = weighted(only);
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += double(weights[sample]) * one.gradient[i];
  }
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    worst = std::max(worst, std::abs(sum[i] - mixed.gradient[i]));
    largest = std::max(largest, std::abs(sum[i]));
  }
  CHECK(largest > .1);
  CHECK(worst < 1e-6 * largest);  // eight additions in another order
}
