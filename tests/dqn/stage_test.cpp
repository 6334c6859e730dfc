// SPDX-License-Identifier: MIT
// Stage: its views are zero at the start and do not meet, and its forward is the agent's network.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <polyq/dqn/stage.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <utility>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace {

constexpr int N = 3;
template <class B>
using Agent = polyq::Dqn<B, polyq::nn::Mlp<5, 17, 2>, polyq::replay::Uniform<4>, polyq::optim::Sgd>;

template <class B>
Agent<B> make() {
  return Agent<B>{B{}, {}, {.capacity = 12}, {}};
}

}  // namespace

TEST_CASE_TEMPLATE("views are zero at the start and do not meet", B, POLYQ_BACKENDS) {
  auto agent = make<B>();
  polyq::Stage<Agent<B>, N> stage(agent);
  const auto step = stage.stepped();
  CHECK(step.observations.data == stage.observations().data);  // the next action sees these

  const auto bytes = [](auto* begin, std::size_t count) {
    const auto* first = reinterpret_cast<const std::byte*>(begin);
    return std::pair{first, first + count * sizeof *begin};
  };
  using Storage = typename Agent<B>::Storage;
  std::vector<std::pair<const std::byte*, const std::byte*>> views{
      bytes(stage.observations().data, Storage::activation_size(5, N)),
      bytes(step.next.data, Storage::activation_size(5, N)),
      bytes(stage.outputs().data, Storage::activation_size(2, N)),
      bytes(stage.actions(), N),
      bytes(step.rewards, N),
      bytes(step.terminated, N),
      bytes(step.truncated, N)};
  for (const auto& [first, last] : views) {
    const auto count = std::size_t(last - first);
    CHECK(test::downloaded(agent.machine(), first, count) == std::vector<std::byte>(count));
  }
  std::sort(views.begin(), views.end());
  for (std::size_t i = 1; i < views.size(); ++i) CHECK(views[i - 1].second <= views[i].first);
}

TEST_CASE_TEMPLATE("forward is the network of the parameters it is given", B, POLYQ_BACKENDS) {
  auto agent = make<B>();
  polyq::Stage<Agent<B>, N> three(agent);
  polyq::Stage<Agent<B>, 1> one(agent);
  auto& machine = agent.machine();
  test::HostMatrix<typename Agent<B>::template Observations<N>> observations;
  for (int e = 0; e < N; ++e)
    for (int o = 0; o < 5; ++o) observations(o, e) = float(e + 1) * .25f - float(o) * .5f;
  test::upload(machine, three.observations(), observations);
  machine.zero(agent.target(), Agent<B>::P * sizeof(float));

  three.forward(polyq::nn::Role::acting, agent.target());
  const auto zeros = test::downloaded(machine, three.outputs());
  for (int e = 0; e < N; ++e) CHECK(zeros(0, e) == 0);

  three.forward(polyq::nn::Role::acting, agent.online());
  const auto outputs = test::downloaded(machine, three.outputs());
  for (int e = 0; e < N; ++e) {
    machine.upload(one.observations().data, observations.column(e), 5);
    one.forward(polyq::nn::Role::acting, agent.online());
    const auto alone = test::downloaded(machine, one.outputs());
    for (int a = 0; a < 2; ++a) {
      CHECK(outputs(a, e) != 0);
      // On a host sums run in one order; cuBLAS may take another kernel for one sample.
      const float tolerance = test::on_gpu ? 1e-6f : 0;
      CHECK(std::abs(outputs(a, e) - alone(a, 0)) <= tolerance);
    }
  }
}
