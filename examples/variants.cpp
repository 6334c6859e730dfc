// SPDX-License-Identifier: MIT
// Variants: each puts one policy in the place of another, and Rainbow is most of them at once. All
// learn Acrobot, whose random policy returns about -500.
#include <cstdio>
#include <polyq/polyq.hpp>

using namespace polyq;

constexpr DqnSettings learning{.discount = .99f, .seed = 1};
constexpr TrainSettings training{.env_steps = 50'000,
                                 .goal = env::Goal{.solved = -120, .stop = -100}};

// The plain agent's.
const nn::Mlp<6, 64, 64, 3> mlp;  // observations, hidden…, actions
const replay::Uniform<64> uniform{.capacity = 50'000};
const optim::Adam adam{.rate = 1e-3f};
const rule::DoubleQLearning<> double_q;

/// Trains an agent of these policies and says how well; whether it reached the goal.
template <class Network, class Replay, class Optimizer, class Rule>
bool learns(const char* name, const Network& network, const Replay& replay,
            const Optimizer& optimizer, const Rule& rule) {
  Dqn agent{backend::EigenCpu{}, network, replay, optimizer, learning, rule};
  const TrainResult result = train(agent, env::Acrobot{}, training);
  std::printf("%-12s mean return %6.1f after %5llu env steps, %.1f s\n", name, result.best.mean,
              static_cast<unsigned long long>(result.env_steps), result.seconds);
  return result.solved;
}

bool networks_learn() {
  const nn::DuelingMlp<6, 64, 64, 3> dueling;
  const nn::NoisyMlp<6, 64, 64, 3> noisy;  // explores by itself: ε is 0
  return learns("dueling", dueling, uniform, adam, double_q) &&
         learns("noisy", noisy, uniform, adam, double_q);
}

bool replays_learn() {
  const replay::Prioritized<64> prioritized{
      .capacity = 50'000,
      .alpha = .5f,
      .beta = math::Schedule::linear(.4f, 1, 50'000)};  // over the updates of the run
  const replay::NStep<3, replay::Uniform<64>> three_steps{uniform};
  return learns("prioritized", mlp, prioritized, adam, double_q) &&
         learns("three steps", mlp, three_steps, adam, double_q);
}

bool rules_learn() {
  const rule::Munchausen<> munchausen;
  const nn::DistributionalMlp<21, 6, 64, 64, 3> of_returns;  // 21 numbers an action
  const rule::Categorical<21> c51{-100, 0};  // -1 a step: returns lie in [-1 / (1 - γ), 0]
  const rule::Quantile<21> qr_dqn;           // needs no bounds
  return learns("Munchausen", mlp, uniform, adam, munchausen) &&
         learns("C51", of_returns, uniform, adam, c51) &&
         learns("QR-DQN", of_returns, uniform, adam, qr_dqn);
}

bool optimizers_learn() {
  const optim::AdamW adam_w{.rate = 1e-3f, .decay = 1e-2f};
  const optim::Clipped decayed{optim::Decayed{adam, 1e-4f}, 10.f};
  return learns("AdamW", mlp, uniform, adam_w, double_q) &&
         learns("decayed", mlp, uniform, decayed, double_q);
}

bool rainbow_learns() {
  const nn::RainbowMlp<51, 6, 64, 64, 3> network;  // distributions, dueling streams, noise
  const replay::NStep<3, replay::Prioritized<64>> replay{{.capacity = 50'000}};
  const optim::Clipped optimizer{optim::Adam{.rate = 1e-3f}, 10.f};
  const rule::DoubleCategorical<51> rule{-100, 0};
  return learns("Rainbow", network, replay, optimizer, rule);
}

int main() {
  const bool all = networks_learn() && replays_learn() && rules_learn() && optimizers_learn() &&
                   rainbow_learns();
  return all ? 0 : 1;
}
