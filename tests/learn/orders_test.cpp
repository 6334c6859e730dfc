// SPDX-License-Identifier: MIT
// Whole runs have the same bits, in whatever order indices are visited, and never touch backend
// memory but by primitives: what a GPU asks for, shown without one.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <polyq/dqn/dqn.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/train.hpp>
#include <vector>

#include "strict.hpp"

namespace backend = polyq::backend;
namespace math = polyq::math;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
namespace rule = polyq::rule;
using test::Order;
using test::Strict;

namespace {

using Environments = polyq::env::Vectorized<polyq::env::CartPole, 4>;

template <class Network, class Optimizer, class Rule>
std::vector<float> trained(Order order, Network network, Optimizer optimizer, Rule rule) {
  polyq::Dqn agent(Strict{order}, network, polyq::replay::Uniform<13>{.capacity = 400}, optimizer,
                   {.target_period_updates = 7}, rule);
  const polyq::TrainResult result = polyq::train(agent, Environments{},
                                                 {.env_steps = 600,
                                                  .warm_up_env_steps = 100,
                                                  .evaluation_period_env_steps = 300,
                                                  .select_episodes = 3,
                                                  .report_episodes = 3});
  std::vector<float> all = agent.parameters();
  for (const float* span : {agent.target(), agent.gradient()}) {
    const std::vector<float> more = agent.parameters(span);
    all.insert(all.end(), more.begin(), more.end());
  }
  all.push_back(float(result.training_return));
  all.push_back(float(result.best.mean));
  return all;
}

template <class Network, class Optimizer, class Rule>
void check_orders(Network network, Optimizer optimizer, Rule rule) {
  const auto forward = trained(Order::forward, network, optimizer, rule);
  CHECK(trained(Order::reverse, network, optimizer, rule) == forward);
  CHECK(trained(Order::shuffled, network, optimizer, rule) == forward);
}

/// What the orders are there to show: an index that reads what another writes.
struct ShiftDown {
  float* values;
  POLYQ_HD void operator()(std::int64_t i) const { values[i] = values[i + 1]; }
};

std::vector<float> shifted(Order order) {
  Strict::Machine machine(Strict{order});
  std::vector<float> values{0, 1, 2, 3};
  const auto memory = machine.allocate<float>(4);
  machine.upload(memory.get(), values.data(), 4);
  machine.for_each(3, ShiftDown{memory.get()});
  machine.download(values.data(), memory.get(), 4);
  return values;
}

}  // namespace

static_assert(backend::Backend<Strict>);

TEST_CASE("an index that reads what another writes gives itself away") {
  CHECK(shifted(Order::forward) == std::vector<float>{1, 2, 3, 3});
  CHECK(shifted(Order::reverse) == std::vector<float>{3, 3, 3, 3});
}

TEST_CASE("backend memory is out of the host's reach") {
  Strict::Machine machine(Strict{});
  const auto memory = machine.allocate<float>(4);
  machine.zero(memory.get(), 4 * sizeof(float));
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    _exit(*static_cast<volatile float*>(memory.get()) == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
}

TEST_CASE("training has the same bits in every order") {
  SUBCASE("Q-learning by Adam") {
    check_orders(nn::Mlp<4, 17, 6, 2>{}, optim::Adam{}, rule::QLearning{});
  }
  SUBCASE("double Q-learning with Huber by clipped Adam") {
    check_orders(nn::MlpOf<math::Tanh, 4, 9, 2>{}, optim::Clipped{optim::Adam{}, .1f},
                 rule::DoubleQLearning{math::Huber{}});
  }
  SUBCASE("scaled observations by momentum") {
    check_orders(nn::Sequential<nn::Scale<4>, nn::Linear<4, 5, math::Relu>, nn::Linear<5, 2>>{},
                 optim::Sgd{.momentum = .9f}, rule::QLearning{});
  }
}
