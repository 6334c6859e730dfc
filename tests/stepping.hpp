// SPDX-License-Identifier: MIT
// Stepping: an optimizer alone on a backend, by hand or beside PyTorch's recorded updates.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <polyq/backend/reference.hpp>
#include <polyq/core/clock.hpp>
#include <polyq/core/error.hpp>
#include <string>
#include <vector>

#include "golden.hpp"

namespace test {

namespace backend = polyq::backend;
namespace core = polyq::core;

struct OptimizerShapes {
  static constexpr std::size_t P = 37;  // packets and a rest
};

/// An optimizer with parameters, gradient, state and clock on backend B.
template <class B, class Optimizer>
struct Stepping {
  using Machine = typename B::Machine;
  using On = typename Optimizer::template On<Machine, OptimizerShapes>;
  template <class T>
  using Owned = typename Machine::template Owned<T>;

  Machine machine{B{}};
  Owned<float> parameters = machine.template allocate<float>(OptimizerShapes::P);
  Owned<float> gradient = machine.template allocate<float>(OptimizerShapes::P);
  Owned<float> state = machine.template allocate<float>(On::state_size);
  Owned<core::Clock> clock = machine.template allocate<core::Clock>(1);
  On on;

  Stepping(const Optimizer& optimizer, const std::vector<float>& initial)
      : on(optimizer, state.get()) {
    machine.zero(state.get(), On::state_size * sizeof(float));
    machine.upload(parameters.get(), initial.data(), OptimizerShapes::P);
  }
  template <class After = backend::Nothing>
  void step(const std::vector<float>& slopes, core::Clock now, After after = {}) {
    machine.upload(gradient.get(), slopes.data(), OptimizerShapes::P);
    machine.upload(clock.get(), &now, 1);
    on.step(machine, parameters.get(), gradient.get(), clock.get(), after);
  }
  std::vector<float> read(const float* from) {
    std::vector<float> values(OptimizerShapes::P);
    machine.download(values.data(), from, values.size());
    return values;
  }
};

inline std::vector<float> row_of(const test::Tensor& tensor, int row) {
  const auto begin = tensor.values.begin() + row * tensor.columns;
  return {begin, begin + tensor.columns};
}
inline std::vector<float> filled(float value) {
  return std::vector<float>(OptimizerShapes::P, value);
}

/// 100 updates beside PyTorch's in double; update k, counted from 0, is at env step k. At each
/// update `roundings` numbers of a parameter's size are rounded, by 2^-24; their errors add up as
/// the root of their number. The step is so small beside them that its own roundings do not show.
template <class B, class Optimizer>
void check_beside_torch(const std::string& name, const Optimizer& optimizer, int roundings = 1) {
  const Golden initial("torch_optimizers/initial.txt"), gradients("torch_optimizers/gradients.txt"),
      expected("torch_optimizers/" + name + ".txt");
  const auto& start = initial["initial"].values;
  Stepping<B, Optimizer> stepping(optimizer, {start.begin(), start.end()});
  for (int k = 0; k < 100; ++k) {
    stepping.step(row_of(gradients["gradients"], k), {std::uint64_t(k), std::uint64_t(k)});
    if (k != 0 && k != 1 && k != 9 && k != 99) continue;
    const Tensor& exact = expected["after_" + std::to_string(k + 1)];
    const std::vector<float> got = stepping.read(stepping.parameters.get());
    double worst = 0;
    for (int i = 0; i < int(OptimizerShapes::P); ++i)
      worst = std::max(worst, std::abs(got[i] - exact(i)) / (1 + std::abs(exact(i))));
    INFO(name, " after ", k + 1, " updates");
    CHECK(worst <= std::sqrt(roundings * (k + 1)) * 0x1p-24);
  }
}

template <class Machine, class On>
struct RecordedStep {
  Machine* machine;
  On* on;
  float *parameters, *gradient;
  core::Clock* clock;
  void operator()() const {
    on->step(*machine, parameters, gradient, clock, backend::Nothing{});
    machine->for_each(1, core::Tick{clock, 1, 1});
  }
};

/// Six updates by one recording beside six eager ones: the clock is read when they run.
template <class B, class Optimizer>
void check_recorded_as_eager(const Optimizer& optimizer) {
  using Run = Stepping<B, Optimizer>;
  Run eager(optimizer, filled(1)), recorded(optimizer, filled(1));
  const core::Clock start{0, 0};
  const std::vector<float> slopes = filled(.5f);
  recorded.machine.upload(recorded.gradient.get(), slopes.data(), OptimizerShapes::P);
  recorded.machine.upload(recorded.clock.get(), &start, 1);
  auto cycle = recorded.machine.record(RecordedStep<typename Run::Machine, typename Run::On>{
      &recorded.machine, &recorded.on, recorded.parameters.get(), recorded.gradient.get(),
      recorded.clock.get()});
  for (std::uint64_t k = 0; k < 6; ++k) {
    eager.step(slopes, {k, k});
    cycle();
    CHECK(eager.read(eager.parameters.get()) == recorded.read(recorded.parameters.get()));
  }
}

/// What the settings are refused with; nothing if they are taken.
template <class Optimizer>
std::string refusal(const Optimizer& settings) {
  using On = typename Optimizer::template On<backend::Reference::Machine, OptimizerShapes>;
  float state[On::state_size] = {};
  try {
    const On on(settings, state);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}

}  // namespace test
