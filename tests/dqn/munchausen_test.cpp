// SPDX-License-Identifier: MIT
// Munchausen: by hand, beside the paper's formula in double where values are 1e4 and the
// temperature is .03, clipped, masked at s and s′; and beside PyTorch's through a whole update.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/core/random.hpp>
#include <polyq/dqn/munchausen.hpp>
#include <polyq/nn/distributional.hpp>
#include <polyq/nn/sequential.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "golden_update.hpp"

namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace rule = polyq::rule;

namespace {

using Munchausen = rule::Munchausen<>;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

static_assert(!Munchausen::reads_online_next && rule::reads_target_now<Munchausen>());
static_assert(rule::one_step<Munchausen>() && !rule::TeamRule<Munchausen, 2>);
static_assert(rule::RuleOn<Munchausen, nn::Mlp<4, 8, 2>>);
static_assert(Munchausen::accepts<nn::Mlp<4, 8, 2>>);
static_assert(!Munchausen::accepts<nn::DistributionalMlp<5, 4, 8, 2>>);

rule::Sample sample_of(const float* now, const float* next, const float* now_target, int action,
                       float reward, float discount) {
  rule::Sample sample{now, next, nullptr, action, reward, discount};
  sample.now_target = now_target;
  return sample;
}

/// The paper's equation in double, the policies written out, over the legal actions.
double defined(const Munchausen& rule, const rule::Sample& s, int actions) {
  const double tau = rule.temperature;
  const auto log_policy = [&](const float* q, const std::uint32_t* legal) {
    double largest = -INFINITY, sum = 0;
    for (int a = 0; a < actions; ++a)
      if (math::allows(legal, a)) largest = std::max(largest, double(q[a]));
    for (int a = 0; a < actions; ++a)
      if (math::allows(legal, a)) sum += std::exp((q[a] - largest) / tau);
    std::vector<double> logs;
    for (int a = 0; a < actions; ++a) logs.push_back((q[a] - largest) / tau - std::log(sum));
    return logs;
  };
  const std::vector<double> now = log_policy(s.now_target, s.legal);
  const std::vector<double> next = log_policy(s.next, s.legal_next);
  double soft = 0;
  for (int a = 0; a < actions; ++a)
    if (math::allows(s.legal_next, a)) soft += std::exp(next[a]) * (s.next[a] - tau * next[a]);
  const double own = std::clamp(tau * now[s.action], double(rule.lowest_log_policy), 0.);
  return s.now[s.action] - (s.reward + rule.scaling * own + s.discount * soft);
}

float uniform(std::uint32_t salt, std::uint32_t k) {
  return core::uniform(core::philox(5, core::Stream::init, salt, k).word[0]);
}

}  // namespace

TEST_CASE("an error and its gradient by hand") {
  // Temperature 1 and values log 1, log 3: policies 1/4 and 3/4, soft maximum log 4.
  const float log3 = std::log(3.f), log4 = std::log(4.f);
  const float now[] = {2, 5}, target[] = {0, log3}, next[] = {log3, 0};
  const rule::Sample sample = sample_of(now, next, target, 0, .5f, .5f);
  float gradient[2] = {7, 7};
  const auto error = [&](const auto& rule) {
    return rule.template learn<2>(sample, .25f, gradient);
  };

  const float unclipped = 2 - (.5f + .5f * -log4 + .5f * log4);
  CHECK(error(Munchausen{.temperature = 1, .scaling = .5f, .lowest_log_policy = -2}) ==
        doctest::Approx(unclipped).epsilon(3e-7));
  CHECK(gradient[0] == doctest::Approx(.25f * 2 * unclipped).epsilon(3e-7));
  CHECK(gradient[1] == 0);
  const float clipped = 2 - (.5f + .5f * -1 + .5f * log4);
  CHECK(error(Munchausen{.temperature = 1, .scaling = .5f}) ==
        doctest::Approx(clipped).epsilon(3e-7));
  CHECK(error(rule::Munchausen<math::Huber>{.temperature = 1, .scaling = .5f}) ==
        doctest::Approx(clipped).epsilon(3e-7));
  CHECK(gradient[0] == .25f);  // Huber's slope ends at 1
  // Without scaling: soft Q-learning.
  CHECK(error(Munchausen{.temperature = 1, .scaling = 0}) ==
        doctest::Approx(2 - (.5f + .5f * log4)).epsilon(3e-7));
}

TEST_CASE("the paper's settings") {
  const Munchausen rule;
  CHECK(rule.temperature == .03f);
  CHECK(rule.scaling == .9f);
  CHECK(rule.lowest_log_policy == -1);
}

TEST_CASE("drawn cases: every size of values, masks at s and at s'") {
  constexpr int actions = 5;
  for (std::uint32_t salt = 0; salt < 600; ++salt) {
    CAPTURE(salt);
    const float size = salt % 3 == 0 ? 1e4f : salt % 3 == 1 ? 1.f : .05f;
    // All near one large value, so that the policy is not of one action alone.
    float outputs[3][actions];
    for (int n = 0; n < 3; ++n)
      for (int a = 0; a < actions; ++a)
        outputs[n][a] = (salt % 3 == 0 ? 1e4f : 0) + std::min(size, 1.f) * uniform(salt, 5 * n + a);
    rule::Sample sample = sample_of(outputs[0], outputs[1], outputs[2], int(salt % actions),
                                    uniform(salt, 20), salt % 5 == 0 ? 0 : .97f);
    const std::uint32_t legal = (salt * 7 | 1u << salt % actions) & 31,
                        legal_next = (salt / 3 | 2u) & 31;
    if (salt % 2 == 1) sample.legal = &legal;
    if (salt % 4 >= 2) sample.legal_next = &legal_next;
    const Munchausen rule{.temperature = salt % 7 < 4 ? .03f : 1.f};
    float gradient[actions];
    const float error = rule.learn<actions>(sample, 1, gradient);
    // A target of 1e4 rounds to 1e-3, three times.
    CHECK(std::abs(error - defined(rule, sample, actions)) <= 1e-6 + 3e-7 * size);
    for (int a = 0; a < actions; ++a) CHECK(gradient[a] == (a == sample.action ? 2 * error : 0.f));
  }
}

TEST_CASE("the logarithm of the policy keeps its digits beside large values") {
  // Nothing but the logarithm is left in the error.
  const float now[] = {0, 0}, next[] = {0, 0}, target[] = {10000, 10000.0078125f};
  const float error = Munchausen{.scaling = 1}.learn<2>(sample_of(now, next, target, 0, 0, 0), 1,
                                                        std::array<float, 2>{}.data());
  const double tau = double(.03f), above = tau * std::log(1 + std::exp(-.0078125 / tau));
  CHECK(error == doctest::Approx(.0078125 + above).epsilon(1e-6));
}

TEST_CASE("settings are checked") {
  CHECK_NOTHROW(Munchausen{}.check());
  CHECK_NOTHROW((Munchausen{.scaling = 0, .lowest_log_policy = 0}.check()));
  CHECK_THROWS_WITH_AS(Munchausen{.temperature = 0}.check(),
                       "polyq: Munchausen.temperature = 0; allowed: finite and > 0",
                       polyq::SettingsError);
  CHECK_THROWS_AS(Munchausen{.temperature = infinity}.check(), polyq::SettingsError);
  CHECK_THROWS_AS(Munchausen{.temperature = not_a_number}.check(), polyq::SettingsError);
  CHECK_THROWS_WITH_AS(Munchausen{.scaling = 1.5f}.check(),
                       "polyq: Munchausen.scaling = 1.5; allowed: [0, 1]", polyq::SettingsError);
  CHECK_THROWS_AS(Munchausen{.scaling = not_a_number}.check(), polyq::SettingsError);
  CHECK_THROWS_WITH_AS(Munchausen{.lowest_log_policy = 1}.check(),
                       "polyq: Munchausen.lowest_log_policy = 1; allowed: finite and <= 0",
                       polyq::SettingsError);
  CHECK_THROWS_AS(Munchausen{.lowest_log_policy = -infinity}.check(), polyq::SettingsError);
  CHECK_THROWS_AS((rule::Munchausen<math::Huber>{.loss = {.delta = 0}}.check()),
                  polyq::SettingsError);
}

TEST_CASE_TEMPLATE("errors and gradients are PyTorch's", B, POLYQ_BACKENDS) {
  using Network = nn::Mlp<4, 16, 12, 3>;
  const test::Golden golden("torch_rules/munchausen.txt");
  std::array<float, 8> weights;
  for (int i = 0; i < 8; ++i) weights[i] = float(golden["weights"](i));
  const auto compare = [&](const auto& replay, auto rule, const char* variant) {
    // Values of up to 3 round in sums of 13 products of sums: some ten roundings of 2e-7.
    test::compare(test::learn<B, Network>(replay, rule), golden,
                  std::string("munchausen.") + variant, 2e-6, 2e-6);
  };
  const Munchausen squared{.temperature = .25f};
  compare(test::GoldenBatch<8>{&golden}, squared, "plain");
  compare(test::GoldenBatch<8, true>{&golden, weights}, squared, "weighted");
  compare(test::GoldenBatch<8>{&golden, {}, true}, squared, "masked");
  compare(test::GoldenBatch<8>{&golden}, rule::Munchausen<math::Huber>{.temperature = .25f},
          "huber");
}
