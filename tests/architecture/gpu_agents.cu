// SPDX-License-Identifier: MIT
// Every shipped policy in an agent on a GPU: what nvcc.py looks for spills and local memory in.
#include <polyq/cuda.cuh>

using namespace polyq;

/// A simulator on the host, of which only the transfers are on the device.
struct Simulator {
  static constexpr const char* name = "Simulator";
  static constexpr int count = 3, observation_size = 4, action_count = 2;
  void step(std::span<const std::int32_t>, std::span<float>, std::span<env::Outcome>) {}
  void reset(std::span<const std::uint8_t>, std::span<const std::uint64_t>, std::span<float>) {}
};

template <class Network, int BatchSize, class Optimizer, class Rule,
          class Backend = backend::ThrustCuda, class Environments>
void run(const Environments& environments) {
  using Replay = replay::Uniform<BatchSize>;
  Dqn agent{Backend{}, Network{}, Replay{}, Optimizer{}, {}, Rule{}};
  train(agent, environments);
  Greedy<decltype(agent)> greedy(agent);
  greedy(std::array<float, 4>{});
}

int main() {
  using Scaled = nn::Sequential<nn::Scale<4>, nn::Linear<4, 33, math::Tanh>, nn::Linear<33, 2>>;
  const env::Vectorized<env::CartPole, 8> cart_poles;
  Simulator training, evaluating;
  run<nn::Mlp<4, 128, 128, 2>, 64, optim::Adam, rule::QLearning<>>(cart_poles);
  run<nn::Mlp<4, 120, 84, 2>, 128, optim::Clipped<optim::Adam>, rule::DoubleQLearning<math::Huber>>(
      cart_poles);
  run<nn::MlpOf<math::Tanh, 4, 17, 2>, 64, optim::Adam, rule::QLearning<>,
      backend::ThrustCudaFused>(cart_poles);
  run<Scaled, 33, optim::Clipped<optim::Sgd>, rule::DoubleQLearning<>>(
      env::Host{&training, &evaluating});
  run<nn::MlpOf<math::Tanh, 4, 17, 2>, 7, optim::Sgd, rule::QLearning<math::Huber>>(
      env::Vectorized<env::CartPoleOf<double>, 1>{});
}
