// SPDX-License-Identifier: MIT
// Quantile: rlax's example, its loss at our ranks; loss and gradient beside the definition in
// double, drawn cases and every team; and beside PyTorch's through a whole update, weighted and
// masked, by both losses.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/core/random.hpp>
#include <polyq/dqn/quantile.hpp>
#include <polyq/nn/distributional.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "golden_update.hpp"
#include "teams.hpp"

namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace rule = polyq::rule;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

static_assert(!rule::Quantile<32>::reads_online_next);
static_assert(rule::DoubleQuantile<32>::reads_online_next);
static_assert(rule::RuleOn<rule::Quantile<32>, nn::DistributionalMlp<32, 4, 8, 2>>);
static_assert(rule::RuleOn<rule::Quantile<32, math::Absolute>, nn::DistributionalMlp<32, 4, 2>>);

/// The definition in double for one action: the mean over targets, the sum over quantiles.
template <class Loss>
double defined(const Loss& loss, const std::vector<double>& quantiles,
               const std::vector<double>& targets) {
  double sum = 0;
  for (std::size_t k = 0; k < quantiles.size(); ++k)
    for (const double target : targets) {
      const double tau = (double(k) + .5) / double(quantiles.size());
      const double difference = target - quantiles[k];
      sum += std::abs(tau - (difference < 0)) * loss.value(difference);
    }
  return sum / double(targets.size());
}

template <int Quantiles>
int best_of(const float* outputs, int actions) {
  const auto sum = [&](int a) {
    double sum = 0;
    for (int k = 0; k < Quantiles; ++k) sum += outputs[a * Quantiles + k];
    return sum;
  };
  int best = 0;
  for (int a = 1; a < actions; ++a)
    if (sum(a) > sum(best)) best = a;
  return best;
}

float uniform(std::uint32_t salt, std::uint32_t k) {
  return core::uniform(core::philox(7, core::Stream::init, salt, k).word[0]);
}

/// A drawn sample of three actions by every team.
template <int Quantiles, class Rule>
void compare_with_definition(const Rule& rule, std::uint32_t salt) {
  CAPTURE(salt);
  constexpr int actions = 3, out = actions * Quantiles;
  std::array<float, out> outputs[3];
  for (int n = 0; n < 3; ++n)
    for (int k = 0; k < out; ++k) outputs[n][k] = 6 * uniform(salt, 10 + out * n + k) - 3;
  constexpr float discounts[] = {0, .3f, .97f, 1};
  const rule::Sample sample{outputs[0].data(),   outputs[1].data(), outputs[2].data(),
                            int(salt % actions), uniform(salt, 0),  discounts[salt % 4]};
  const int best =
      best_of<Quantiles>(Rule::reads_online_next ? sample.next_online : sample.next, actions);
  std::vector<double> targets, quantiles;
  for (int k = 0; k < Quantiles; ++k) {
    targets.push_back(sample.reward + double(sample.discount) * sample.next[best * Quantiles + k]);
    quantiles.push_back(sample.now[sample.action * Quantiles + k]);
  }
  const double loss = defined(rule.loss, quantiles, targets);
  test::every_team([&](const auto& team) {
    std::array<float, out> gradient;
    std::array<float, 2 * Quantiles> room;
    gradient.fill(not_a_number);
    room.fill(not_a_number);
    const float got = rule.template learn<actions>(team, sample, .5f, gradient.data(), room.data());
    CHECK(got == doctest::Approx(loss).epsilon(2e-6));  // sums of positive terms
    for (int k = 0; k < out; ++k) {
      if (k / Quantiles != sample.action) {
        CHECK(gradient[k] == 0);
        continue;
      }
      constexpr double h = 1e-7;
      std::vector<double> above = quantiles, below = quantiles;
      above[k % Quantiles] += h;
      below[k % Quantiles] -= h;
      const double slope =
          (defined(rule.loss, above, targets) - defined(rule.loss, below, targets)) / (2 * h);
      // The differences err by 1e-7; a sum of as many terms as quantiles, below 3 each, rounds.
      CHECK(std::abs(gradient[k] - .5 * slope) < 2e-6);
    }
  });
}

template <int Quantiles>
void compare_all() {
  for (std::uint32_t salt = 0; salt < 24; ++salt) {
    compare_with_definition<Quantiles>(rule::Quantile<Quantiles>(), salt);
    compare_with_definition<Quantiles>(rule::DoubleQuantile<Quantiles>(math::Huber{.5f}), salt);
    compare_with_definition<Quantiles>(rule::Quantile<Quantiles, math::Absolute>(), salt);
    compare_with_definition<Quantiles>(rule::DoubleQuantile<Quantiles, math::Squared>(), salt);
  }
}

}  // namespace

// rlax (Apache-2.0), value_learning_test.py, QuantileLearningTest, whose ranks are given; here they
// are 1/4 and 3/4, and the losses those of its quantiles and targets at these.
TEST_CASE("rlax's example: what is selected, and the losses by hand") {
  // [action][quantile] of its [quantile][action].
  constexpr float now[3][8] = {
      {0, -1, 1, 3, -5, 0, 6, -2}, {-5, 2, 9, 3, -5, 1, 6, -4}, {5, -1, 1, 3, -5, 0, 7, -2}};
  constexpr float next[3][8] = {
      {0, 0, 5, -3, 2, 2, 2, 2}, {-3, 1, -1, 3, 4, 1, -3, -4}, {-2, 1, 2, 3, -5, 2, -7, -2}};
  constexpr float online[3][8] = {
      {0, 0, 7, 4, 2, 2, -2, 2}, {-3, 1, -1, 3, 4, 1, 3, 4}, {-1, -1, -2, -5, -5, 2, -6, -2}};
  constexpr int action[3] = {1, 2, 0};
  constexpr float reward[3] = {.5f, -1, 0}, discount[3] = {.5f, 0, 1};
  // Differences of quantiles 1, 3 and targets 3, -1: 2, -2 and 0, -4.
  // |d|: (2 · 1/4 + 2 · 3/4 + 0 + 4 · 1/4) / 2; Huber's: (1.5 · 1/4 + 1.5 · 3/4 + 3.5 · 1/4) / 2.
  // Of -5, 1 and -1, -1: 4, 4 and -2, -2: (2 · 4 / 4 + 2 · 2 / 4) / 2; (2 · 3.5 / 4 + 2 · 1.5 / 4)
  // / 2. Of 5, -1 and -2, 1: -7, -4 and -1, 2: (7 · 3/4 + 4 · 3/4 + 1/4 + 2 · 3/4) / 2;
  // (6.5 · 3/4 + 3.5 · 3/4 + .5 · 1/4 + 1.5 · 3/4) / 2.
  constexpr float absolute[3] = {1.5f, 1.5f, 5}, huber[3] = {1.1875f, 1.25f, 4.375f};
  for (int i = 0; i < 3; ++i) {
    CAPTURE(i);
    const rule::Sample sample{now[i], next[i], online[i], action[i], reward[i], discount[i]};
    const auto loss = [&](const auto& rule) {
      float gradient[8], room[4];
      return rule.template learn<4>(polyq::backend::SerialTeam{}, sample, 1, gradient, room);
    };
    CHECK(loss(rule::DoubleQuantile<2, math::Absolute>()) == absolute[i]);
    CHECK(loss(rule::DoubleQuantile<2>()) == huber[i]);
  }
}

TEST_CASE("loss and gradient are the definition's, of whole blocks of targets and of parts") {
  compare_all<2>();
  compare_all<8>();
  compare_all<9>();
  compare_all<32>();
}

TEST_CASE("values are means") {
  const float quantiles[] = {1, 2, 6, -1, 0, 4};
  float means[2];
  CHECK(rule::Quantile<3>::values<2>(quantiles, means) == means);
  CHECK(means[0] == 3);
  CHECK(means[1] == 1);
}

TEST_CASE("the loss is checked") {
  CHECK_NOTHROW(rule::Quantile<32>().check());
  CHECK_THROWS_WITH_AS(rule::DoubleQuantile<32>(math::Huber{.delta = 0}).check(),
                       "polyq: Huber.delta = 0; allowed: > 0", polyq::SettingsError);
}

TEST_CASE_TEMPLATE("losses and gradients are PyTorch's", B, POLYQ_BACKENDS) {
  using Network = nn::DistributionalMlp<9, 4, 16, 12, 3>;
  const test::Golden golden("torch_rules/quantile.txt");
  std::array<float, 8> weights;
  for (int i = 0; i < 8; ++i) weights[i] = float(golden["weights"](i));
  const auto compare = [&](const auto& replay, auto rule, const std::string& name) {
    // A loss of up to 15 is a mean over targets of sums of 9 terms, some of them of differences
    // of up to 8: some ten roundings of 5e-7.
    test::compare(test::learn<B, Network>(replay, rule), golden, name, 8e-6, 2e-6);
  };
  const auto check = [&](auto huber, auto absolute, const std::string& name) {
    compare(test::GoldenBatch<8>{&golden}, huber, name + ".plain");
    compare(test::GoldenBatch<8, true>{&golden, weights}, huber, name + ".weighted");
    compare(test::GoldenBatch<8>{&golden, {}, true}, huber, name + ".masked");
    compare(test::GoldenBatch<8>{&golden}, absolute, name + ".absolute");
  };
  check(rule::Quantile<9>(), rule::Quantile<9, math::Absolute>(), "quantile");
  check(rule::DoubleQuantile<9>(), rule::DoubleQuantile<9, math::Absolute>(), "double_quantile");
}
