// SPDX-License-Identifier: MIT
// A machine that claims `dense`: fewer enqueues, the products of the unfused form, plans made at
// the first call.
#include <doctest/doctest.h>

#include <polyq/cuda.cuh>
#include <polyq/train/steps.hpp>

#include "fake_cuda.hpp"

namespace backend = polyq::backend;
namespace env = polyq::env;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
using test::fake_cuda;

static_assert(backend::Backend<backend::ThrustCudaFused> &&
              backend::ThrustCudaFused::Machine::fuses(backend::Fusion::dense));

namespace {

using Network = nn::Mlp<4, 128, 128, 2>;
using Replay = polyq::replay::Uniform<64>;
using Environments = env::Vectorized<env::CartPole, 8>;

template <class Cycle>
void check_enqueues(std::size_t count, Cycle cycle) {
  for (int call = 0; call < 3; ++call) {
    CAPTURE(call);
    fake_cuda().reset();
    cycle();
    CHECK(fake_cuda().allocations == 0);
    CHECK(fake_cuda().waits == 0);
    CHECK(fake_cuda().wrong.empty());
    CHECK(fake_cuda().enqueued.size() == (call < 2 ? count : 0));
    CHECK((fake_cuda().plans == 0 || call == 0));
  }
}

}  // namespace

TEST_CASE("Q-learning takes 17 enqueues, acting 7") {
  polyq::Dqn agent(backend::ThrustCudaFused{}, Network{}, Replay{.capacity = 8'000}, optim::Adam{});
  polyq::Steps steps(agent, Environments{}, 1'024);
  check_enqueues(7, [&] { steps.act(); });
  check_enqueues(17, [&] { agent.update(); });
}

TEST_CASE("double and clipped Q-learning takes 22") {
  polyq::Dqn agent(backend::ThrustCudaFused{}, Network{}, Replay{.capacity = 8'000},
                   optim::Clipped{optim::Adam{}}, {}, polyq::rule::DoubleQLearning{});
  polyq::Actor actor(agent, Environments{});
  check_enqueues(22, [&] { agent.update(); });
}

TEST_CASE("another activation than ReLU takes the unfused form") {
  polyq::Dqn agent(backend::ThrustCudaFused{}, nn::MlpOf<polyq::math::Tanh, 4, 16, 2>{},
                   Replay{.capacity = 640}, optim::Adam{});
  polyq::Actor actor(agent, Environments{});
  fake_cuda().reset();
  agent.update();
  CHECK(fake_cuda().count("BiasActivation<polyq::math::Tanh") == 2);
  CHECK(fake_cuda().count("ReLU") == 0);
}
