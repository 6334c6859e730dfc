// SPDX-License-Identifier: MIT
// An optimizer of your own, written outside the library: Lion (Chen et al. 2023), which steps by
// the sign of a blend of momentum and gradient.
#include <cstdio>
#include <polyq/polyq.hpp>

using namespace polyq;

/// One parameter's step. `Lane::Value` is a SIMD packet on a CPU, one float elsewhere.
struct LionElement {
  float *parameters, *momentum;
  const float* gradient;
  float rate, blend, memory;

  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    using V = typename Lane::Value;
    using math::maximum, math::where_positive;
    const V g = i.load(gradient), m = i.load(momentum);
    const V mixed = V(blend) * m + V(1 - blend) * g;
    const V up = where_positive(mixed, V(1.f)), down = where_positive(V(0.f) - mixed, V(1.f));
    i.store(parameters, i.load(parameters) - V(rate) * (up - down));
    i.store(momentum, V(memory) * m + V(1 - memory) * g);
  }
};

struct Lion {
  float rate = 1e-4f, blend = .9f, memory = .99f;

  template <class Machine, class Shapes>
  class On;  // defined below, where Lion is complete
};

template <class Machine, class Shapes>
class Lion::On {
 public:
  static constexpr std::size_t state_size = Shapes::P;  // floats, zero at the start

  On(const Lion& settings, float* state) : settings_(settings), momentum_(state) {
    require(settings.rate > 0, "Lion.rate", settings.rate, "> 0");
  }
  template <class After>
  void step(Machine& machine, float* parameters, const float* gradient, const core::Clock*,
            After after) {
    const LionElement element{parameters,     momentum_,       gradient,
                              settings_.rate, settings_.blend, settings_.memory};
    machine.for_each_element(Shapes::P, backend::Then{element, after});
  }

 private:
  Lion settings_;
  float* momentum_;
};

int main() {
  Dqn agent{backend::EigenCpu{}, nn::Mlp<4, 64, 64, 2>{}, replay::Uniform<64>{.capacity = 50'000},
            optim::Clipped{Lion{.rate = 3e-4f}, 10.f}};  // composes with the library's own
  const TrainResult result = train(agent, env::CartPole{}, {.env_steps = 50'000});
  std::printf("%s with Lion: mean return %.1f, %llu env steps\n",
              result.solved ? "solved" : "not solved", result.best.mean,
              static_cast<unsigned long long>(result.env_steps));
  return result.solved ? 0 : 1;
}
