// SPDX-License-Identifier: MIT
// One update on a GPU, as a graph: unfused, and with the claim `dense`; their ratio decides whether
// the claim stays. `us` is from an idle device to an idle device over 200 updates, divided.
#include <cstdio>
#include <memory>
#include <polyq/cuda.cuh>
#include <string>

#include "agents.hpp"
#include "gpu/timing.hpp"

namespace {

using namespace polyq;
using Fused = backend::Thrust<thrust::cuda::tag, backend::Fusion::dense>;

constexpr int updates = 200;

template <class Backend, int H1, int H2, int B, class Optimizer, class Rule>
bench::GpuTimes times(Optimizer optimizer) {
  using Network = nn::Mlp<4, H1, H2, 2>;
  using Agent = Dqn<Backend, Network, replay::Uniform<B>, Optimizer, Rule>;
  Agent agent(Backend{}, Network{}, {.capacity = 16'384}, optimizer,
              {.exploration = 1.f, .target_period_updates = 500, .tau = 1});
  Actor actor(agent, env::Vectorized<env::CartPole, 64>{});
  for (int step = 0; step < 256; ++step) actor.enqueue_step();
  return bench::gpu_times(agent.machine(), updates, [&] { agent.update(); });
}

template <int H1, int H2, int B, class Optimizer = optim::Adam, class Rule = rule::QLearning<>>
void run(const char* variant, Optimizer optimizer = {}) {
  const std::string what = "4-" + std::to_string(H1) + "-" + std::to_string(H2) +
                           "-2 B=" + std::to_string(B) + " " + variant;
  try {
    const bench::GpuTimes plain = times<backend::ThrustCuda, H1, H2, B, Optimizer, Rule>(optimizer);
    bench::print_line("gpu_update", what,
                      {{"us", plain.device_us}, {"enqueue_us", plain.enqueue_us}});
    const bench::GpuTimes fused = times<Fused, H1, H2, B, Optimizer, Rule>(optimizer);
    bench::print_line("gpu_update", what + ", dense claimed",
                      {{"us", fused.device_us},
                       {"enqueue_us", fused.enqueue_us},
                       {"ratio_to_unfused", fused.device_us / plain.device_us}});
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", what.c_str(), error.what());
  }
}

}  // namespace

int main() {
  const auto clipped = optim::Clipped{optim::Adam{}, 10.f};
  run<64, 64, 64>("plain");
  run<128, 128, 64>("plain");
  run<256, 256, 64>("plain");
  run<120, 84, 128>("plain");
  run<128, 128, 256>("plain");
  run<128, 128, 1024>("plain");
  run<128, 128, 4096>("plain");
  run<128, 128, 64, optim::Clipped<optim::Adam>, rule::DoubleQLearning<>>("double, clipped",
                                                                          clipped);
}
