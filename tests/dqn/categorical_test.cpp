// SPDX-License-Identifier: MIT
// Categorical: rlax's published losses; loss and gradient beside the definition in double, drawn
// cases and every team; and beside PyTorch's through a whole update, weighted and masked.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/core/random.hpp>
#include <polyq/dqn/categorical.hpp>
#include <polyq/nn/distributional.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "golden_update.hpp"
#include "teams.hpp"

namespace core = polyq::core;
namespace nn = polyq::nn;
namespace rule = polyq::rule;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

static_assert(!std::is_default_constructible_v<rule::Categorical<51>>);
static_assert(!std::is_default_constructible_v<rule::DoubleCategorical<51>>);
static_assert(!rule::Categorical<51>::reads_online_next);
static_assert(rule::DoubleCategorical<51>::reads_online_next);
static_assert(rule::RuleOn<rule::Categorical<51>, nn::DistributionalMlp<51, 4, 8, 2>>);
static_assert(rule::room_of<rule::Categorical<51>, 2>() == 102);

// rlax (Apache-2.0), value_learning_test.py, CategoricalQLearningTest and
// CategoricalDoubleQLearningTest: atoms 0.5, 1, 1.5; four actions.
constexpr float now[5][12] = {{1, 1, 1, 0, 9, 9, 0, 9, 0, 0, 0, 0},
                              {9, 9, 0, 9, 0, 9, 0, 0, 0, 9, -9, 0},
                              {1, 1, 1, 0, 9, 9, 0, 0, 0, 0, 9, 0},
                              {9, 9, 0, 9, 0, 9, 0, 0, 0, 9, -9, 0},
                              {9, 9, 0, 9, 0, 9, 0, 0, 0, 9, -9, 0}};
constexpr float next[5][12] = {{1, 1, 1, 9, 0, 9, 1, 0, 0, 0, 0, 9},
                               {9, 9, 0, 9, 0, 0, 1, 1, 1, 9, -9, 0},
                               {1, 1, 1, 9, 0, 9, 0, 0, 9, 1, 0, 0},
                               {9, 9, 0, 9, 0, 0, 1, 1, 1, 9, -9, 0},
                               {9, 9, 0, 9, 0, 0, 0, 9, 9, 9, -9, 0}};
constexpr int action[5] = {2, 1, 3, 0, 1}, selected[5] = {3, 0, 1, 3, 3};
constexpr float reward[5] = {.5f, 0, .5f, .8f, -.1f}, discount[5] = {.8f, 1, .8f, 0, 1};
constexpr double single_losses[5] = {8.998915, 3.6932087, 8.998915, .69320893, 5.1929307};
constexpr double double_losses[5] = {8.998915, 5.192931, 5.400247, .693209, .693431};

std::vector<double> softmax(const float* logits, int n) {
  std::vector<double> p(logits, logits + n);
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& mass : p) sum += mass = std::exp(mass - largest);
  for (double& mass : p) mass /= sum;
  return p;
}

/// The definition in double: atoms, the distance of every source to every target, nothing shared.
struct Defined {
  int atoms;
  double low, high;

  double atom(int z) const { return low + (high - low) * z / (atoms - 1); }
  double mean(const float* logits) const {
    const std::vector<double> p = softmax(logits, atoms);
    double sum = 0;
    for (int z = 0; z < atoms; ++z) sum += p[z] * atom(z);
    return sum;
  }
  int best(const float* outputs, int actions) const {
    int best = 0;
    for (int a = 1; a < actions; ++a)
      if (mean(outputs + a * atoms) > mean(outputs + best * atoms)) best = a;
    return best;
  }
  std::vector<double> target(const float* logits, double r, double gamma) const {
    const std::vector<double> p = softmax(logits, atoms);
    std::vector<double> masses(atoms);
    for (int i = 0; i < atoms; ++i)
      for (int z = 0; z < atoms; ++z) {
        const double at = std::clamp(r + gamma * atom(i), low, high);
        const double width = (high - low) / (atoms - 1);
        masses[z] += p[i] * std::max(0., 1 - std::abs(at - atom(z)) / width);
      }
    return masses;
  }
  static double cross_entropy(const std::vector<double>& target,
                              const std::vector<double>& logits) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0, loss = 0;
    for (const double logit : logits) sum += std::exp(logit - largest);
    for (std::size_t z = 0; z < logits.size(); ++z)
      loss += target[z] * (largest + std::log(sum) - logits[z]);
    return loss;
  }
};

float uniform(std::uint32_t salt, std::uint32_t k) {
  return core::uniform(core::philox(6, core::Stream::init, salt, k).word[0]);
}

/// A drawn sample of three actions by both rules and every team.
template <int Atoms>
void compare_with_definition(std::uint32_t salt) {
  CAPTURE(salt);
  constexpr int actions = 3, out = actions * Atoms;
  const float low = -10 * uniform(salt, 0), high = 10 * uniform(salt, 1) + .1f;
  std::array<float, out> outputs[3];
  for (int n = 0; n < 3; ++n)
    for (int k = 0; k < out; ++k) outputs[n][k] = 6 * uniform(salt, 10 + out * n + k) - 3;
  constexpr float discounts[] = {0, 1e-30f, .3f, .97f, 1};
  const rule::Sample sample{outputs[0].data(),
                            outputs[1].data(),
                            outputs[2].data(),
                            int(salt % actions),
                            (high - low) * (2 * uniform(salt, 2) - 1) * (salt % 7 == 0 ? 50 : 1),
                            discounts[salt % 5]};
  const Defined defined{Atoms, low, high};
  const auto check = [&](const auto& rule, int best) {
    const std::vector<double> target =
        defined.target(sample.next + best * Atoms, sample.reward, sample.discount);
    const float* taken = sample.now + sample.action * Atoms;
    const std::vector<double> logits(taken, taken + Atoms);
    const double loss = Defined::cross_entropy(target, logits);
    test::every_team([&](const auto& team) {
      std::array<float, out> gradient;
      std::array<float, 2 * Atoms> room;
      gradient.fill(not_a_number);
      room.fill(not_a_number);
      const float got =
          rule.template learn<actions>(team, sample, .5f, gradient.data(), room.data());
      // A place of up to 50 atoms rounds by 4e-6 of an atom, where all of the mass may stand; a
      // gradient, halved here, is off by as much, a loss by that times the logits' range of 6.
      CHECK(std::abs(got - loss) < 3e-5);
      for (int k = 0; k < out; ++k) {
        if (k / Atoms != sample.action) {
          CHECK(gradient[k] == 0);
          continue;
        }
        constexpr double h = 1e-5;
        std::vector<double> above = logits, below = logits;
        above[k % Atoms] += h;
        below[k % Atoms] -= h;
        const double slope =
            (Defined::cross_entropy(target, above) - Defined::cross_entropy(target, below)) /
            (2 * h);
        CHECK(std::abs(gradient[k] - .5 * slope) < 3e-6);
      }
    });
  };
  check(rule::Categorical<Atoms>(low, high), defined.best(sample.next, actions));
  check(rule::DoubleCategorical<Atoms>(low, high), defined.best(sample.next_online, actions));
}

template <class Rule>
float loss_of(const Rule& rule, const rule::Sample& sample) {
  float gradient[12], room[6];
  return rule.template learn<4>(polyq::backend::SerialTeam{}, sample, 1, gradient, room);
}

}  // namespace

TEST_CASE("rlax's constants") {
  for (int i = 0; i < 5; ++i) {
    CAPTURE(i);
    // rlax is given values to select by; these logits' means have the same order.
    float online[12];
    for (int a = 0; a < 4; ++a)
      for (int z = 0; z < 3; ++z) online[3 * a + z] = z == (a == selected[i] ? 2 : 0) ? 9 : 0;
    const rule::Sample sample{now[i], next[i], online, action[i], reward[i], discount[i]};
    // They have seven digits.
    CHECK(loss_of(rule::Categorical<3>(.5f, 1.5f), sample) ==
          doctest::Approx(single_losses[i]).epsilon(1e-6));
    CHECK(loss_of(rule::DoubleCategorical<3>(.5f, 1.5f), sample) ==
          doctest::Approx(double_losses[i]).epsilon(1e-6));
  }
}

TEST_CASE("loss and gradient are the definition's") {
  for (std::uint32_t salt = 0; salt < 70; ++salt) {
    compare_with_definition<2>(salt);
    compare_with_definition<11>(salt);
    compare_with_definition<51>(salt);
  }
}

TEST_CASE("values are expectations, of logits however large") {
  const rule::Categorical<51> rule(-3, 7);
  const Defined defined{51, -3, 7};
  for (const float size : {1.f, 30.f, 1e30f}) {
    std::array<float, 3 * 51> logits;
    for (int k = 0; k < 3 * 51; ++k) logits[k] = size * (2 * uniform(3, k) - 1);
    float means[3];
    CHECK(rule.values<3>(logits.data(), means) == means);
    for (int a = 0; a < 3; ++a)
      CHECK(means[a] == doctest::Approx(defined.mean(logits.data() + 51 * a)).epsilon(5e-6));
  }
}

TEST_CASE("bounds are checked") {
  CHECK_NOTHROW(rule::Categorical<51>(-10, 10).check());
  CHECK_THROWS_WITH_AS(rule::Categorical<51>(10, -10).check(),
                       "polyq: Categorical.high = -10; allowed: finite and > Categorical.low, 10",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(rule::DoubleCategorical<51>(1, 1).check(),
                       "polyq: Categorical.high = 1; allowed: finite and > Categorical.low, 1",
                       polyq::SettingsError);
  CHECK_THROWS_WITH_AS(rule::Categorical<51>(not_a_number, 1).check(),
                       "polyq: Categorical.low = nan; allowed: finite", polyq::SettingsError);
  CHECK_THROWS_WITH_AS(rule::Categorical<51>(0, not_a_number).check(),
                       "polyq: Categorical.high = nan; allowed: finite and > Categorical.low, 0",
                       polyq::SettingsError);
  CHECK_THROWS_AS(rule::Categorical<51>(-infinity, 1).check(), polyq::SettingsError);
  CHECK_THROWS_AS(rule::Categorical<51>(0, infinity).check(), polyq::SettingsError);
}

TEST_CASE_TEMPLATE("losses and gradients are PyTorch's", B, POLYQ_BACKENDS) {
  using Network = nn::DistributionalMlp<11, 4, 16, 12, 3>;
  const test::Golden golden("torch_rules/categorical.txt");
  std::array<float, 8> weights;
  for (int i = 0; i < 8; ++i) weights[i] = float(golden["weights"](i));
  const auto check = [&](auto rule, const std::string& name) {
    const auto compare = [&](const auto& replay, const char* variant) {
      // A logit of up to 5 is a sum of 13 products of sums; some ten roundings of 3e-7 in it are
      // as many in a loss of up to 4, and in a probability of the gradient.
      test::compare(test::learn<B, Network>(replay, rule), golden, name + variant, 4e-6, 2e-6);
    };
    compare(test::GoldenBatch<8>{&golden}, ".plain");
    compare(test::GoldenBatch<8, true>{&golden, weights}, ".weighted");
    compare(test::GoldenBatch<8>{&golden, {}, true}, ".masked");
  };
  check(rule::Categorical<11>(-2, 3), "categorical");
  check(rule::DoubleCategorical<11>(-2, 3), "double_categorical");
}
