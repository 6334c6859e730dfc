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

constexpr int updates = 200;
bool failed = false;

/// Adam by `step` alone: Clipped then scales in a launch of its own.
struct StepOnly : optim::Adam {
  template <class Machine, class Shapes>
  struct On {
    using Inner = optim::Adam::On<Machine, Shapes>;
    static constexpr std::size_t state_size = Inner::state_size;
    Inner inner;
    On(const StepOnly& settings, float* state) : inner(settings, state) {}
    template <class After>
    void step(Machine& machine, float* parameters, float* gradient, const core::Clock* clock,
              After after) {
      inner.step(machine, parameters, gradient, clock, after);
    }
  };
};

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
    const bench::GpuTimes fused =
        times<backend::ThrustCudaFused, H1, H2, B, Optimizer, Rule>(optimizer);
    bench::print_line("gpu_update", what + ", dense claimed",
                      {{"us", fused.device_us},
                       {"enqueue_us", fused.enqueue_us},
                       {"ratio_to_unfused", fused.device_us / plain.device_us}});
  } catch (const Error& error) {
    std::printf("{\"bench\": \"gpu_update\", \"case\": \"%s\", \"failed\": \"%s\"}\n", what.c_str(),
                error.what());
    failed = true;
  }
}

}  // namespace

/// With an argument one shape alone, for a profiler.
int main(int argc, char**) {
  run<128, 128, 64>("plain");
  if (argc > 1) return failed;
  run<64, 64, 64>("plain");
  run<256, 256, 64>("plain");
  run<120, 84, 128>("plain");
  run<128, 128, 256>("plain");
  run<128, 128, 1024>("plain");
  run<128, 128, 4096>("plain");
  using Double = rule::DoubleQLearning<>;
  run<128, 128, 64, optim::Clipped<optim::Adam>, Double>("double, clipped");
  run<128, 128, 64, optim::Clipped<StepOnly>, Double>("double, clipped in a launch of its own");
  return failed;
}
