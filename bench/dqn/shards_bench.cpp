// SPDX-License-Identifier: MIT
// Several shards on one rank beside one shard with all their rows: what Reduction::reproducible
// costs where nothing is sent. The ratio is the median over samples in which both ran one after the
// other.
#include <memory>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/comm/threads.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int samples = 21;
constexpr double sample_microseconds = 4'000;
constexpr int rows = 10'000;

template <int H, int Batch, class Comm>
auto filled_agent(const DqnSettings& settings, const Comm& comm) {
  using Agent = Dqn<backend::EigenCpu, nn::Mlp<4, H, H, 2>, replay::Uniform<Batch>, optim::Adam,
                    rule::QLearning<>, Comm>;
  auto agent = std::make_unique<Agent>(
      backend::EigenCpu{}, nn::Mlp<4, H, H, 2>{}, replay::Uniform<Batch>{.capacity = rows},
      optim::Adam{.rate = 2.5e-4f}, settings, rule::QLearning<>{}, comm);
  bench::fill(*agent, rows / agent->sharding().shards);
  return agent;
}

template <int H, int Shards, int Batch>
void run() {
  DqnSettings settings{.target_period_updates = 500, .tau = 1};
  const auto whole = filled_agent<H, Shards * Batch>(settings, comm::None{});
  settings.reduction = Reduction::reproducible;
  settings.shards = Shards;
  const auto parts = filled_agent<H, Batch>(settings, comm::Threads{});

  const auto update_parts = [&] { parts->update(); };
  const auto update_whole = [&] { whole->update(); };
  const int inner =
      std::max(1, int(sample_microseconds / bench::microseconds_per_call(update_whole, 50)));
  const bench::PairTimes times = bench::interleaved(update_parts, update_whole, samples, inner);
  const std::string hidden = std::to_string(H);
  bench::print_line("shards",
                    "4-" + hidden + "-" + hidden + "-2, " + std::to_string(Shards) + " shards of " +
                        std::to_string(Batch),
                    {{"us", times.first_median},
                     {"min_us", times.first_minimum},
                     {"bound_us", times.second_median},
                     {"ratio", times.ratio_median},
                     {"samples", samples}});
}

}  // namespace

int main() {
  run<64, 4, 16>();
  run<128, 4, 16>();
  run<256, 4, 16>();
  run<64, 4, 64>();
  run<128, 4, 64>();
}
