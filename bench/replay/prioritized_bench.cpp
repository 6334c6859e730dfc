// SPDX-License-Identifier: MIT
// What prioritized replay costs at a million transitions, beside an update of 4-128-128-2 with 64
// samples: `ratio` is sample and reprioritize over the update with a uniform replay. All ratios
// are medians over samples in which the programs ran one after the other.
#include <algorithm>
#include <memory>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/replay/uniform.hpp>
#include <vector>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int samples = 21, batch_size = 64, capacity = 1'000'000;
constexpr double sample_microseconds = 4'000;

/// An agent whose ring is full, and whose priorities, if it has them, some thousand updates moved.
template <class Replay>
auto make_agent() {
  using Net = nn::Mlp<4, 128, 128, 2>;
  using Agent = Dqn<backend::EigenCpu, Net, Replay, optim::Adam>;
  auto agent = std::make_unique<Agent>(backend::EigenCpu{}, Net{}, Replay{.capacity = capacity},
                                       optim::Adam{.rate = 2.5e-4f},
                                       DqnSettings{.target_period_updates = 500, .tau = 1});
  bench::fill(*agent, capacity);
  for (int update = 0; update < 5'000; ++update) agent->update();
  return agent;
}

/// What an update asks of its replay; at each call it draws anew.
template <class Agent>
void replay_once(Agent& agent) {
  auto& machine = agent.machine();
  agent.replay().sample(machine, agent.clock(), agent.batch());
  agent.replay().reprioritize(machine, agent.batch(), agent.td());
  machine.for_each(1, core::Tick{agent.clock(), 0, 1});
}

double median_ratio(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < first.size(); ++i) ratios.push_back(first[i] / second[i]);
  return bench::median(ratios);
}

}  // namespace

int main() {
  const auto uniform = make_agent<replay::Uniform<batch_size>>();
  const auto prioritized = make_agent<replay::Prioritized<batch_size>>();
  std::vector<double> uniform_replay, prioritized_replay, uniform_update, prioritized_update;
  for (int sample = -1; sample < samples; ++sample) {  // the first warms up and is dropped
    const auto time = [&](std::vector<double>& times, auto program) {
      const int inner = std::max(
          1, int(sample_microseconds / std::max(1., bench::microseconds_per_call(program, 10))));
      const double each = bench::microseconds_per_call(program, inner);
      if (sample >= 0) times.push_back(each);
    };
    time(uniform_update, [&] { uniform->update(); });
    time(prioritized_replay, [&] { replay_once(*prioritized); });
    time(uniform_replay, [&] { replay_once(*uniform); });
    time(prioritized_update, [&] { prioritized->update(); });
  }
  bench::print_line("prioritized", "1e6 rows, 4-128-128-2 B=64",
                    {{"us", bench::median(prioritized_replay)},
                     {"uniform_us", bench::median(uniform_replay)},
                     {"ratio", median_ratio(prioritized_replay, uniform_update)},
                     {"update_us", bench::median(prioritized_update)},
                     {"uniform_update_us", bench::median(uniform_update)},
                     {"update_ratio", median_ratio(prioritized_update, uniform_update)},
                     {"samples", samples}});
}
