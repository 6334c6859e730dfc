// SPDX-License-Identifier: MIT
// Many ranks: two threads train one agent; every update learns from a batch of each.
#include <cstdio>
#include <polyq/comm/threads.hpp>
#include <polyq/polyq.hpp>

using namespace polyq;

int main() {
  bool solved = false;
  const auto train_rank = [&](const comm::Threads& ranks) {
    Dqn agent{backend::EigenCpu{},                      // a core for each rank
              nn::Mlp<4, 64, 64, 2>{},                  //
              replay::Uniform<64>{.capacity = 50'000},  // batches of 64 a shard; rows of all shards
              optim::Adam{.rate = 2e-3f},               //
              {.seed = 1, .reduction = Reduction::reproducible, .shards = 2},
              rule::QLearning{},
              ranks};
    const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 50'000});
    if (ranks.rank() != 0) return;  // all ranks hold the same result

    solved = result.solved;
    std::printf("%s after %llu env steps and %llu updates on %d ranks: mean return %.1f\n",
                solved ? "solved" : "not solved", static_cast<unsigned long long>(result.env_steps),
                static_cast<unsigned long long>(result.updates), ranks.size(), result.best.mean);
  };

  try {
    comm::Threads::run(2, train_rank);
    return solved ? 0 : 1;
  } catch (const Error& error) {  // of the rank that failed first
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
