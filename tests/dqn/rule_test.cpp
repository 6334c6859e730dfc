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
#include "golden.hpp"
#include "rows.hpp"

namespace {

namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace replay = polyq::replay;
namespace rule = polyq::rule;

/// Column i of one batch ← column i of another.
template <class Observations, bool Weighted>
struct CopyColumn {
  replay::Batch<Observations> from, to;
  POLYQ_HD void operator()(std::int64_t sample) const {
    const int i = int(sample);
    for (int o = 0; o < Observations::rows; ++o) {
      to.observations(o, i) = from.observations(o, i);
      to.next(o, i) = from.next(o, i);
    }
    to.actions[i] = from.actions[i];
    to.rewards[i] = from.rewards[i];
    to.discounts[i] = from.discounts[i];
    to.rows[i] = from.rows[i];
    if (Weighted) to.weights[i] = from.weights[i];
  }
};

/// A replay that samples the batch of a golden file, always.
template <int BatchSize, bool Weighted>
struct GoldenBatch {
  static constexpr int batch_size = BatchSize, steps = 1;
  static constexpr bool weighted = Weighted;
  const test::Golden* golden;
  std::array<float, BatchSize> weights = {};

  template <class Machine, class Shapes>
  class On {
   public:
    using Observations = typename Shapes::template Observations<BatchSize>;
    On(Machine& machine, const GoldenBatch& settings, replay::RunFacts)
        : stored_(machine, read(*settings.golden)),
          weights_(test::uploaded(
              machine, std::vector<float>(settings.weights.begin(), settings.weights.end()))) {}
    void attach(std::int64_t, bool) {}
    void cut(Machine&, const core::Clock*) {}
    bool masked() const { return false; }
    std::int64_t rows_needed() const { return 1; }
    template <class Rows>
    void push(Machine&, const core::Clock*, Rows) {}
    void sample(Machine& machine, const core::Clock*, replay::Batch<Observations> batch) {
      replay::Batch<Observations> stored = stored_.view();
      stored.weights = weights_.get();
      machine.for_each(BatchSize, CopyColumn<Observations, Weighted>{stored, batch});
    }
    void reprioritize(Machine&, replay::Batch<Observations>, const float*) {}

   private:
    static test::HostBatch<Observations> read(const test::Golden& golden) {
      test::HostBatch<Observations> batch;
      for (int i = 0; i < BatchSize; ++i) {
        for (int o = 0; o < Observations::rows; ++o) {
          batch.observations(o, i) = float(golden["observations"](i, o));
          batch.next(o, i) = float(golden["next_observations"](i, o));
        }
        batch.actions[i] = std::int32_t(golden["actions"](i));
        batch.rewards[i] = float(golden["rewards"](i));
        batch.discounts[i] = float(golden["discounts"](i));
        batch.rows[i] = i;
      }
      return batch;
    }

    test::BatchOn<Machine, Observations> stored_;
    typename Machine::template Owned<float> weights_;
  };
};

/// The tensors `prefix`.0.weight, `prefix`.0.bias, … one after another, as Dqn packs parameters.
std::vector<double> packed(const test::Golden& golden, const std::string& prefix, int layers) {
  std::vector<double> all;
  for (int layer = 0; layer < layers; ++layer)
    for (const char* name : {".weight", ".bias"}) {
      const auto& values = golden[prefix + std::to_string(layer) + name].values;
      all.insert(all.end(), values.begin(), values.end());
    }
  return all;
}

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

/// What an update leaves behind.
struct Learned {
  std::vector<float> td, gradient;
  std::vector<std::size_t> tensor_ends;  // in the gradient
  double loss;
};

/// One update from the golden parameters and batch.
template <class B, class Network, int BatchSize, class Rule, bool Weighted = false>
Learned learn(const test::Golden& golden, Rule rule,
              const std::array<float, BatchSize>& weights = {}) {
  using Agent = polyq::Dqn<B, Network, GoldenBatch<BatchSize, Weighted>, polyq::optim::Sgd, Rule>;
  Agent agent(B{}, {}, {&golden, weights}, {}, {}, rule);
  const std::vector<double> target = packed(golden, "target.", Network::layer_count);
  const std::vector<double> online = packed(golden, "online.", Network::layer_count);
  agent.set_parameters(std::vector<float>(target.begin(), target.end()));
  const std::vector<float> set(online.begin(), online.end());
  const auto blocks = Network::template blocks<typename Agent::Storage>();
  std::vector<float> padded(Agent::P);
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { padded[at] = set[i]; });
  agent.machine().upload(agent.online(), padded.data(), padded.size());
  agent.update();

  Learned learned{std::vector<float>(BatchSize), agent.parameters(agent.gradient()), {}, 0};
  agent.machine().download(learned.td.data(), agent.td(), BatchSize);
  std::size_t end = 0;
  for (const core::Block& block : blocks)
    learned.tensor_ends.push_back(end += std::size_t(block.rows * block.columns));
  for (const float error : learned.td) learned.loss += rule.loss.value(double(error)) / BatchSize;
  return learned;
}

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

void compare(const Learned& learned, const test::Golden& golden, const std::string& name) {
  CAPTURE(name);
  const test::Tensor& td = golden[name + ".td"];
  REQUIRE(td.values.size() == learned.td.size());
  // Floats beside PyTorch's doubles. An error is the difference of values up to 3, each a sum of
  // up to 33 products: some ten roundings of 1.2e-7.
  for (std::size_t i = 0; i < learned.td.size(); ++i)
    CHECK(std::abs(learned.td[i] - td.values[i]) < 1e-6);
  const double loss = golden[name + ".loss"](0);
  CHECK(std::abs(learned.loss - loss) < 1e-6 * loss);

  // Of each tensor's largest: the chain of the same roundings through three layers.
  const int layers = int(learned.tensor_ends.size()) / 2;
  const std::vector<double> gradient = packed(golden, name + ".gradient.", layers);
  REQUIRE(gradient.size() == learned.gradient.size());
  std::size_t i = 0;
  for (const std::size_t end : learned.tensor_ends) {
    double worst = 0, largest = 0;
    for (; i < end; ++i) {
      REQUIRE(std::isfinite(learned.gradient[i]));
      worst = std::max(worst, std::abs(learned.gradient[i] - gradient[i]));
      largest = std::max(largest, std::abs(gradient[i]));
    }
    CHECK(largest > 0);
    CHECK(worst < 1e-6 * largest);
  }
}

template <class B, class Network, int BatchSize>
void compare_all(const std::string& file) {
  const test::Golden golden(file);
  for (const bool doubled : {false, true})
    for (const bool huber : {false, true})
      compare(
          learn<B, Network, BatchSize>(golden, AnyRule{doubled, {huber}}), golden,
          std::string(doubled ? "double_" : "") + "q_learning." + (huber ? "huber" : "squared"));
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
    compare(learn<B, Network, 8>(golden, rule), golden, name);
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
    return learn<B, Network, 8, decltype(huber), true>(golden, huber, weights);
  };
  const Learned plain = learn<B, Network, 8>(golden, huber);

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
