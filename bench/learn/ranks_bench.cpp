// SPDX-License-Identifier: MIT
// Learning on CartPole by 1, 2 and 4 threads as ranks: after equal env steps, and after equal
// seconds. One update for each env step of all ranks, as on one rank. A batch is a rank's, so that
// V ranks learn from V batches an update: once with 64 a rank, once with 64 in all.
// A line a seed, then the mean with its 95 % interval over seeds (Student's t).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/comm/threads.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agents.hpp"

namespace {

using namespace polyq;

constexpr int seeds = 10;
constexpr double quantile = 2.262;  // Student's, 9 degrees of freedom
constexpr std::uint64_t env_steps = 12'000;
constexpr double seconds = .5;

struct EndAfter {
  double seconds;
  bool on_chunk(const Chunk& chunk) const { return chunk.seconds < seconds; }
};

template <int Batch>
TrainResult train_rank(const comm::Threads& ranks, int seed, bool by_seconds) {
  Dqn agent{backend::EigenCpu{},
            nn::Mlp<4, 64, 64, 2>{},
            replay::Uniform<Batch>{.capacity = 50'000},
            optim::Adam{.rate = 2e-3f},
            {.seed = std::uint64_t(seed)},
            rule::QLearning{},
            ranks};
  TrainSettings settings{.env_steps = env_steps,
                         .evaluation_period_env_steps = 0,
                         .early_stop = false,
                         .chunk_env_steps = 200};
  if (!by_seconds) return train(agent, env::CartPole{}, settings);
  settings.env_steps = 10'000'000;
  return train(agent, env::CartPole{}, settings, EndAfter{seconds});
}
template <int Batch>
TrainResult train_ranks(int count, int seed, bool by_seconds) {
  TrainResult of_rank_0;
  comm::Threads::run(count, [&](const comm::Threads& ranks) {
    const TrainResult result = train_rank<Batch>(ranks, seed, by_seconds);
    if (ranks.rank() == 0) of_rank_0 = result;
  });
  return of_rank_0;
}

struct Mean {
  double value, half_interval;
  explicit Mean(const std::vector<double>& values) : value(0), half_interval(0) {
    const double n = double(values.size());
    for (const double v : values) value += v / n;
    for (const double v : values) half_interval += (v - value) * (v - value) / (n - 1) / n;
    half_interval = quantile * std::sqrt(half_interval);
  }
};

template <int Batch>
void run(int count, bool by_seconds) {
  const std::string what = std::string(by_seconds ? "equal seconds" : "equal env steps") + ", " +
                           std::to_string(count) + (count == 1 ? " rank" : " ranks") + " of " +
                           std::to_string(Batch);
  std::vector<double> returns, steps, times, values;
  for (int seed = 1; seed <= seeds; ++seed) {
    const TrainResult result = train_ranks<Batch>(count, seed, by_seconds);
    returns.push_back(result.last.mean);
    steps.push_back(double(result.env_steps));
    times.push_back(result.seconds);
    values.push_back(result.largest_value);
    bench::print_line("ranks", what,
                      {{"seed", double(seed)},
                       {"greedy_return", returns.back()},
                       {"env_steps", steps.back()},
                       {"updates", double(result.updates)},
                       {"seconds", times.back()},
                       {"largest_value", values.back()}});
  }
  bench::print_line("ranks", what + ", all seeds",
                    {{"seeds", seeds},
                     {"global_batch", double(Batch * count)},
                     {"greedy_return", Mean(returns).value},
                     {"greedy_return_95", Mean(returns).half_interval},
                     {"env_steps", Mean(steps).value},
                     {"seconds", Mean(times).value},
                     {"largest_value", Mean(values).value},
                     {"worst_largest_value", *std::max_element(values.begin(), values.end())}});
}

}  // namespace

int main() {
  for (const bool by_seconds : {false, true}) {
    run<64>(1, by_seconds);
    run<64>(2, by_seconds);
    run<64>(4, by_seconds);
    run<32>(2, by_seconds);
    run<16>(4, by_seconds);
  }
}
