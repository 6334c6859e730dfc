// SPDX-License-Identifier: MIT
// check_triples: every rule with every network and every replay that it makes sense with, each in a
// whole update on a backend whose gradient is compared with differences of the loss.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <polyq/dqn/categorical.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/dqn/munchausen.hpp>
#include <polyq/dqn/quantile.hpp>
#include <polyq/nn/distributional.hpp>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/layer_norm.hpp>
#include <polyq/nn/noisy.hpp>
#include <polyq/nn/rainbow.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/replay/uniform.hpp>
#include <tuple>
#include <vector>

#include "agents.hpp"

namespace test {

constexpr int triple_batch = 4, triple_atoms = 5;

// Of rules that need one value an action.
using Values = std::tuple<
    polyq::nn::Mlp<3, 6, 3>, polyq::nn::DuelingMlp<3, 6, 3>, polyq::nn::NoisyMlp<3, 6, 3>,
    polyq::nn::Sequential<polyq::nn::Linear<3, 6>, polyq::nn::LayerNorm<6, polyq::math::Tanh>,
                          polyq::nn::Linear<6, 3>>>;
// Of rules that need a distribution an action.
using Distributions = std::tuple<
    polyq::nn::DistributionalMlp<triple_atoms, 3, 6, 3>,
    polyq::nn::RainbowMlp<triple_atoms, 3, 6, 5, 3>,
    polyq::nn::Distributional<
        triple_atoms,
        polyq::nn::Sequential<polyq::nn::Linear<3, 6>, polyq::nn::LayerNorm<6, polyq::math::Relu>,
                              polyq::nn::DuelingMlp<6, 5, 3 * triple_atoms>>>>;
using OneStep =
    std::tuple<polyq::replay::Uniform<triple_batch>, polyq::replay::Prioritized<triple_batch>>;
using ThreeSteps = std::tuple<polyq::replay::NStep<3, polyq::replay::Uniform<triple_batch>>,
                              polyq::replay::NStep<3, polyq::replay::Prioritized<triple_batch>>>;

/// The loss of the agent's last batch at parameters θ, in the rule's own words: the mean of weight
/// · loss over columns of the outputs.
template <class Agent>
double loss_of(Agent& agent, const std::vector<float>& padded) {
  using Rule = typename Agent::RuleType;
  constexpr int A = Agent::A;
  auto& machine = agent.machine();
  auto& shard = agent.shards()[0];
  machine.upload(agent.online(), padded.data(), padded.size());
  agent.enqueue_values(shard);
  auto now = downloaded(machine, shard.now()), next = downloaded(machine, shard.next());
  auto next_online = now, now_target = now;
  if constexpr (Rule::reads_online_next) next_online = downloaded(machine, shard.next_online());
  if constexpr (polyq::rule::reads_target_now<Rule>())
    now_target = downloaded(machine, shard.now_target());
  const auto batch = batch_of(agent);
  std::vector<float> weights(Agent::B, 1.f);
  if (shard.batch().weights != nullptr)
    weights = downloaded(machine, shard.batch().weights, Agent::B);
  std::vector<float> gradient(1'000), room(1'000);
  double loss = 0;
  for (int i = 0; i < Agent::B; ++i) {
    const polyq::rule::Sample sample{now.column(i),       next.column(i),   next_online.column(i),
                                     batch.actions[i],    batch.rewards[i], batch.discounts[i],
                                     now_target.column(i)};
    double of_sample;
    if constexpr (polyq::rule::TeamRule<Rule, A>) {
      of_sample = agent.rule().template learn<A>(polyq::backend::SerialTeam{}, sample, 1.f,
                                                 gradient.data(), room.data());
    } else {
      const float error = agent.rule().template learn<A>(sample, 1.f, gradient.data());
      of_sample = agent.rule().loss.value(double(error));
    }
    loss += weights[i] * of_sample / Agent::B;
  }
  return loss;
}

/// One update, whose gradient along a direction is the central difference of the loss along it.
template <class Backend, class Network, class Replay, class Rule>
void check_triple(const Rule& rule) {
  using Sgd = polyq::optim::Sgd;
  Replay replay{};
  if constexpr (requires { replay.inner; }) {
    replay.inner.capacity = 32;
  } else {
    replay.capacity = 32;
  }
  // A rate that moves no parameter, and a target that stays apart.
  polyq::Dqn agent(Backend{}, Network{}, replay, Sgd{.rate = 1e-30f},
                   {.target_period_updates = 1'000, .tau = 1}, rule);
  using Agent = decltype(agent);
  fill(agent, 30);
  auto& machine = agent.machine();
  const std::vector<float> padded = downloaded(machine, agent.online(), Agent::P);
  std::vector<float> target = padded, direction(Agent::P);
  constexpr auto blocks = Network::template blocks<typename Agent::Storage>();
  polyq::core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) {
    const auto draw = polyq::core::philox(5, polyq::core::Stream::noise, i, 0);
    target[at] += polyq::core::uniform(draw.word[0]) - .5f;
    direction[at] = 2 * polyq::core::uniform(draw.word[1]) - 1;
  });
  machine.upload(agent.target(), target.data(), target.size());

  const polyq::core::Clock before = clock_of(agent);
  agent.update();
  const std::vector<float> gradient = downloaded(machine, agent.gradient(), Agent::P);
  machine.upload(agent.clock(), &before, 1);  // the same noise again

  // Float outputs leave 1e-7 of the loss in each difference, the third derivative step²: together
  // some 1e-3 of the slope. ReLU's bends stay outside these steps.
  constexpr float step = 2e-3f;
  std::vector<float> ahead = padded, behind = padded;
  double slope = 0, length = 0;
  for (std::size_t i = 0; i < Agent::P; ++i) {
    ahead[i] += step * direction[i];
    behind[i] -= step * direction[i];
    slope += double(gradient[i]) * direction[i];
    length += double(gradient[i]) * gradient[i];
  }
  const double difference = (loss_of(agent, ahead) - loss_of(agent, behind)) / (2 * step);
  CHECK(length > 0);
  CHECK(difference == doctest::Approx(slope).epsilon(.01).scale(std::sqrt(length)));
}

template <class Backend, class Network, class Rule, class... Replays>
void check_replays(const Rule& rule, std::tuple<Replays...>) {
  (check_triple<Backend, Network, Replays>(rule), ...);
}
template <class Backend, class Rule, class... Networks, class Replays>
void check_networks(const Rule& rule, std::tuple<Networks...>, Replays replays) {
  (check_replays<Backend, Networks>(rule, replays), ...);
}

}  // namespace test
