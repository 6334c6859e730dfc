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

/// Where only every third action is legal.
struct Masked : env::MountainCar {
  POLYQ_HD math::ActionMask<3> legal(const State& state) const {
    math::ActionMask<3> mask;
    mask.allow(state.steps % 3);
    return mask;
  }
};

template <class Network, class Replay, class Optimizer, class Rule,
          class Backend = backend::ThrustCuda, class Environments>
void run(const Environments& environments, const Rule& rule = {}) {
  Dqn agent{Backend{}, Network{}, Replay{}, Optimizer{}, {}, rule};
  train(agent, environments);
  Greedy<decltype(agent)> greedy(agent);
  greedy(std::array<float, Network::observation_size>{});
}

int main() {
  using replay::Uniform, replay::Prioritized, replay::NStep;
  using Scaled = nn::Sequential<nn::Scale<4>, nn::Linear<4, 33, math::Tanh>, nn::Linear<33, 2>>;
  using Normalised =
      nn::Sequential<nn::Linear<2, 20>, nn::LayerNorm<20, math::Relu>, nn::Linear<20, 3>>;
  const env::Vectorized<env::CartPole, 8> cart_poles;
  const env::Vectorized<env::Acrobot, 8> acrobots;
  const env::Vectorized<env::MountainCar, 8> cars;
  const env::Vectorized<Masked, 8> masked;
  Simulator training, evaluating;
  run<nn::Mlp<4, 128, 128, 2>, Uniform<64>, optim::Adam, rule::QLearning<>>(cart_poles);
  run<nn::Mlp<4, 120, 84, 2>, Uniform<128>, optim::Clipped<optim::Adam>,
      rule::DoubleQLearning<math::Huber>>(cart_poles);
  run<nn::MlpOf<math::Tanh, 4, 17, 2>, Uniform<64>, optim::Adam, rule::QLearning<>,
      backend::ThrustCudaFused>(cart_poles);
  run<Scaled, Uniform<33>, optim::Clipped<optim::Sgd>, rule::DoubleQLearning<>>(
      env::Host{&training, &evaluating});
  run<nn::MlpOf<math::Tanh, 4, 17, 2>, Uniform<7>, optim::Sgd, rule::QLearning<math::Huber>>(
      env::Vectorized<env::CartPoleOf<double>, 1>{});
  run<nn::RainbowMlp<51, 6, 64, 64, 3>, NStep<3, Prioritized<64>>, optim::AdamW>(
      acrobots, rule::DoubleCategorical<51>(-100, 0));
  run<nn::DistributionalMlp<32, 2, 64, 3>, NStep<3, Uniform<64>>, optim::RAdam>(
      cars, rule::Quantile<32>{});
  run<Normalised, Prioritized<33>, optim::Clipped<optim::Decayed<optim::RmsProp>>,
      rule::Munchausen<>>(masked);
  run<nn::DuelingMlp<2, 64, 64, 3>, NStep<5, Uniform<33>>, optim::RmsProp, rule::DoubleQLearning<>>(
      masked);
}
