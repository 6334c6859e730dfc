// SPDX-License-Identifier: MIT
// One update of an agent from the parameters and the batch of a golden file, and what it leaves
// beside PyTorch's.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <polyq/dqn/dqn.hpp>
#include <polyq/optim/sgd.hpp>
#include <string>
#include <vector>

#include "golden.hpp"
#include "rows.hpp"

namespace test {

/// Column i of one batch ← column i of another.
template <class Observations, bool Weighted, int Words>
struct CopyColumn {
  polyq::replay::Batch<Observations> from, to;
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
    if (to.legal == nullptr) return;
    for (int w = 0; w < Words; ++w) {
      to.legal[i * Words + w] = from.legal[i * Words + w];
      to.legal_next[i * Words + w] = from.legal_next[i * Words + w];
    }
  }
};

/// A replay that samples the batch of a golden file, always; with its masks where it is `masked`.
template <int BatchSize, bool Weighted = false>
struct GoldenBatch {
  static constexpr int batch_size = BatchSize, steps = 1;
  static constexpr bool weighted = Weighted;
  const Golden* golden;
  std::array<float, BatchSize> weights = {};
  bool masked = false;

  template <class Machine, class Shapes>
  class On {
   public:
    using Observations = typename Shapes::template Observations<BatchSize>;
    static constexpr int words = polyq::math::mask_words(Shapes::A);
    On(Machine& machine, const GoldenBatch& settings, polyq::replay::RunFacts)
        : masked_(settings.masked),
          stored_(machine, read(*settings.golden)),
          weights_(uploaded(machine,
                            std::vector<float>(settings.weights.begin(), settings.weights.end()))),
          legal_(uploaded(machine, read_masks(settings, "legal"))),
          legal_next_(uploaded(machine, read_masks(settings, "legal_next"))) {}
    void attach(std::int64_t, bool) {}
    void cut(Machine&, const polyq::core::Clock*) {}
    bool masked() const { return masked_; }
    std::int64_t rows_needed() const { return 1; }
    template <class Rows>
    void push(Machine&, const polyq::core::Clock*, Rows) {}
    void sample(Machine& machine, const polyq::core::Clock*,
                polyq::replay::Batch<Observations> batch) {
      polyq::replay::Batch<Observations> stored = stored_.view();
      stored.weights = weights_.get();
      stored.legal = legal_.get();
      stored.legal_next = legal_next_.get();
      machine.for_each(BatchSize, CopyColumn<Observations, Weighted, words>{stored, batch});
    }
    void reprioritize(Machine&, polyq::replay::Batch<Observations>, const float*) {}

   private:
    static HostBatch<Observations> read(const Golden& golden) {
      HostBatch<Observations> batch;
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

    static std::vector<std::uint32_t> read_masks(const GoldenBatch& settings,
                                                 const std::string& name) {
      std::vector<std::uint32_t> masks(std::size_t{BatchSize} * words);
      if (!settings.masked) return masks;
      for (int i = 0; i < BatchSize; ++i)
        for (int a = 0; a < Shapes::A; ++a)
          if ((*settings.golden)[name](i, a) != 0)
            masks[i * words + a / 32] |= std::uint32_t{1} << a % 32;
      return masks;
    }

    bool masked_;
    BatchOn<Machine, Observations> stored_;
    typename Machine::template Owned<float> weights_;
    typename Machine::template Owned<std::uint32_t> legal_, legal_next_;
  };
};

/// The tensors `prefix`.0.weight, `prefix`.0.bias, … one after another, as Dqn packs parameters.
inline std::vector<double> packed(const Golden& golden, const std::string& prefix, int layers) {
  std::vector<double> all;
  for (int layer = 0; layer < layers; ++layer)
    for (const char* name : {".weight", ".bias"}) {
      const auto& values = golden[prefix + std::to_string(layer) + name].values;
      all.insert(all.end(), values.begin(), values.end());
    }
  return all;
}

/// What an update leaves behind.
struct Learned {
  std::vector<float> td, gradient;
  std::vector<std::size_t> tensor_ends;  // in the gradient
};

/// One update from the golden parameters and batch.
template <class B, class Network, class Rule, int BatchSize, bool Weighted>
Learned learn(const GoldenBatch<BatchSize, Weighted>& replay, Rule rule) {
  using Agent = polyq::Dqn<B, Network, GoldenBatch<BatchSize, Weighted>, polyq::optim::Sgd, Rule>;
  Agent agent(B{}, {}, replay, {}, {}, rule);
  const Golden& golden = *replay.golden;
  const std::vector<double> target = packed(golden, "target.", Network::layer_count);
  const std::vector<double> online = packed(golden, "online.", Network::layer_count);
  agent.set_parameters(std::vector<float>(target.begin(), target.end()));
  const std::vector<float> set(online.begin(), online.end());
  const auto blocks = Network::template blocks<typename Agent::Storage>();
  std::vector<float> padded(Agent::P);
  polyq::core::for_each_parameter(blocks,
                                  [&](std::size_t i, std::size_t at) { padded[at] = set[i]; });
  agent.machine().upload(agent.online(), padded.data(), padded.size());
  agent.update();

  Learned learned{std::vector<float>(BatchSize), agent.parameters(agent.gradient()), {}};
  agent.machine().download(learned.td.data(), agent.td(), BatchSize);
  std::size_t end = 0;
  for (const polyq::core::Block& block : blocks)
    learned.tensor_ends.push_back(end += std::size_t(block.rows * block.columns));
  return learned;
}

/// Errors within `of_td`, of each tensor of the gradient within `of_largest` of its largest.
inline void compare(const Learned& learned, const Golden& golden, const std::string& name,
                    double of_td, double of_largest) {
  CAPTURE(name);
  const Tensor& td = golden[name + ".td"];
  REQUIRE(td.values.size() == learned.td.size());
  for (std::size_t i = 0; i < learned.td.size(); ++i)
    CHECK(std::abs(learned.td[i] - td.values[i]) < of_td);
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
    CHECK(worst < of_largest * largest);
  }
}

}  // namespace test
