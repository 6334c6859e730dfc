// SPDX-License-Identifier: MIT
// One update of each variant beside the plain one, 4-128-128-2 and B = 64: its time, and the rate
// of its networks' products, counted alike for all. `ratio` is that rate over the plain update's.
#include <algorithm>
#include <cstring>
#include <memory>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/dqn/categorical.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/dqn/munchausen.hpp>
#include <polyq/dqn/quantile.hpp>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/noisy.hpp>
#include <polyq/nn/rainbow.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int batch = 64, atoms = 51, samples = 21;

/// Floating-point operations of an update's products: forwards, gradients of all weights, and of
/// the inputs of all but the layers that see the observation.
template <class Agent>
double flops() {
  using Network = typename Agent::NetworkType;
  double weights = 0, first = 0;
  for (const core::Block& block : Network::template blocks<typename Agent::Storage>())
    if (std::strcmp(block.name, "weight") == 0) {
      weights += double(block.rows) * block.columns;
      if (block.columns == Agent::O) first += double(block.rows) * block.columns;
    }
  const double forwards =
      2 + Agent::RuleType::reads_online_next + rule::reads_target_now<typename Agent::RuleType>();
  return 2. * batch * (weights * (forwards + 2) - first);
}

template <class Network, class Replay, class Rule>
auto agent_of(const Rule& rule, Replay replay) {
  using Agent = Dqn<backend::EigenCpu, Network, Replay, optim::Adam, Rule>;
  auto agent = std::make_unique<Agent>(backend::EigenCpu{}, Network{}, replay,
                                       optim::Adam{.rate = 1e-4f}, DqnSettings{}, rule);
  bench::fill(*agent, 10'000);
  return agent;
}
using Plain = nn::Mlp<4, 128, 128, 2>;
using Rows = replay::Uniform<batch>;

template <class Network, class Replay, class Rule>
void run(const char* name, const Rule& rule, Replay replay) {
  const auto plain = agent_of<Plain>(rule::QLearning{}, Rows{});
  const auto variant = agent_of<Network>(rule, replay);
  const bench::PairTimes times =
      bench::interleaved([&] { variant->update(); }, [&] { plain->update(); }, samples, 50);
  const double of_variant = flops<std::remove_reference_t<decltype(*variant)>>(),
               of_plain = flops<std::remove_reference_t<decltype(*plain)>>();
  bench::print_line("family", name,
                    {{"us", times.first_median},
                     {"plain_us", times.second_median},
                     {"gflops", of_variant / times.first_median * 1e-3},
                     {"plain_gflops", of_plain / times.second_median * 1e-3},
                     {"ratio", of_variant / of_plain / times.ratio_median},
                     {"samples", samples}});
}

}  // namespace

int main() {
  using Prioritized = replay::Prioritized<batch>;
  run<Plain>("double", rule::DoubleQLearning{}, Rows{});
  run<Plain>("munchausen", rule::Munchausen<>{}, Rows{});
  run<nn::DuelingMlp<4, 128, 128, 2>>("dueling", rule::QLearning{}, Rows{});
  run<nn::NoisyMlp<4, 128, 128, 2>>("noisy", rule::QLearning{}, Rows{});
  run<Plain>("prioritized", rule::QLearning{}, Prioritized{});
  run<Plain>("3-step", rule::QLearning{}, replay::NStep<3, Rows>{});
  run<nn::DistributionalMlp<atoms, 4, 128, 128, 2>>("c51", rule::Categorical<atoms>(0, 100),
                                                    Rows{});
  run<nn::DistributionalMlp<atoms, 4, 128, 128, 2>>("qr-dqn", rule::Quantile<atoms>{}, Rows{});
  run<nn::RainbowMlp<atoms, 4, 128, 128, 2>>("rainbow", rule::DoubleCategorical<atoms>(0, 100),
                                             replay::NStep<3, Prioritized>{});
}
