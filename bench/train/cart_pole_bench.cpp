// SPDX-License-Identifier: MIT
// Whole runs of CartPole beside their updates alone by the tile peer: what acting, environment and
// replay cost. CleanRL's protocol (cleanrl/dqn.py) and the rl-zoo's (hyperparams/dqn.yml).
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <vector>

#include "agents.hpp"
#include "peers/peer_replay.hpp"
#include "peers/tile_update.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int pairs = 3;

struct Protocol {
  const char* name;
  TrainSettings train;
  DqnSettings dqn;
};

/// Runs the protocol and as many updates by `Peer` in turn; CPU seconds.
template <class Peer, class MakeAndTrain>
void run(const Protocol& protocol, MakeAndTrain make_and_train) {
  std::vector<double> seconds, bounds, ratios;
  TrainResult result;
  for (int pair = 0; pair < pairs; ++pair) {
    double begin = bench::cpu_seconds();
    result = make_and_train(std::uint64_t(pair + 1));
    seconds.push_back(bench::cpu_seconds() - begin);

    peers::PeerTrainer<Peer> peer;
    begin = bench::cpu_seconds();
    for (std::uint64_t i = 0; i < result.updates; ++i) peer.update();
    bounds.push_back(bench::cpu_seconds() - begin);
    ratios.push_back(seconds.back() / bounds.back());
  }
  const double env_steps = double(result.env_steps), updates = double(result.updates);
  bench::print_line("cart_pole", protocol.name,
                    {{"us", bench::median(seconds) * 1e6},
                     {"bound_us", bench::median(bounds) * 1e6},
                     {"ratio", bench::median(ratios)},
                     {"seconds", bench::median(seconds)},
                     {"env_steps", env_steps},
                     {"updates", updates},
                     {"training_return", result.training_return},
                     {"pairs", pairs}});
}

void cleanrl() {
  const Protocol protocol{"CleanRL: 4-120-84-2 B=128, 500000 steps, an update each 10",
                          {.env_steps = 500'000,
                           .warm_up_env_steps = 10'000,
                           .train_period_env_steps = 10,
                           .evaluation_period_env_steps = 0,
                           .early_stop = false},
                          {.exploration = math::Schedule::linear(1, .05f, 250'000),
                           .target_period_updates = 50,
                           .tau = 1}};
  run<peers::TileUpdate<4, 120, 84, 2, 128, false>>(protocol, [&](std::uint64_t seed) {
    DqnSettings settings = protocol.dqn;
    settings.seed = seed;
    Dqn agent{backend::EigenCpu{}, nn::Mlp<4, 120, 84, 2>{},
              replay::Uniform<128>{.capacity = 10'000}, optim::Adam{.rate = 2.5e-4f}, settings};
    return train(agent, env::CartPole{}, protocol.train);
  });
}

void zoo() {
  const Protocol protocol{
      "rl-zoo: 4-256-256-2 B=64, 50000 steps, 128 updates each 256",
      {.env_steps = 50'000,
       .warm_up_env_steps = 1'000,
       .train_period_env_steps = 256,
       .updates_per_period = 128,
       .evaluation_period_env_steps = 0,
       .early_stop = false},
      {.exploration = math::Schedule::linear(1, .04f, 8'000),
       .target_period_updates = 128,  // "every 10 steps" there falls once into each 128 updates
       .tau = 1}};
  run<peers::TileUpdate<4, 256, 256, 2, 64, false>>(protocol, [&](std::uint64_t seed) {
    DqnSettings settings = protocol.dqn;
    settings.seed = seed;
    Dqn agent{backend::EigenCpu{},
              nn::Mlp<4, 256, 256, 2>{},
              replay::Uniform<64>{.capacity = 100'000},
              optim::Clipped{optim::Adam{.rate = 2.3e-3f}, 10.f},
              settings,
              rule::QLearning{math::Huber{}}};
    return train(agent, env::CartPole{}, protocol.train);
  });
}

}  // namespace

int main() {
  const backend::FlushDenormals flush(backend::FlushDenormals::available);  // for the peers too
  cleanrl();
  zoo();
}
