// SPDX-License-Identifier: MIT
// Sgd follows PyTorch for 100 updates, with and without momentum, and checks its settings.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/optim/sgd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "backends.hpp"
#include "golden.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
using polyq::optim::Sgd;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

struct Shapes {
  static constexpr std::size_t P = 37;  // packets and a rest
};

/// An optimizer with parameters, gradient, state and clock on backend B.
template <class B, class Optimizer>
struct Stepping {
  using Machine = typename B::Machine;
  using On = typename Optimizer::template On<Machine, Shapes>;
  template <class T>
  using Owned = typename Machine::template Owned<T>;

  Machine machine{B{}};
  Owned<float> parameters = machine.template allocate<float>(Shapes::P);
  Owned<float> gradient = machine.template allocate<float>(Shapes::P);
  Owned<float> state = machine.template allocate<float>(On::state_size);
  Owned<core::Clock> clock = machine.template allocate<core::Clock>(1);
  On on;

  Stepping(const Optimizer& optimizer, const std::vector<float>& initial)
      : on(optimizer, state.get()) {
    machine.zero(state.get(), On::state_size * sizeof(float));
    machine.upload(parameters.get(), initial.data(), Shapes::P);
  }
  template <class After = backend::Nothing>
  void step(const std::vector<float>& slopes, core::Clock now, After after = {}) {
    machine.upload(gradient.get(), slopes.data(), Shapes::P);
    machine.upload(clock.get(), &now, 1);
    on.step(machine, parameters.get(), gradient.get(), clock.get(), after);
  }
  std::vector<float> read(const float* from) {
    std::vector<float> values(Shapes::P);
    machine.download(values.data(), from, values.size());
    return values;
  }
};

std::vector<float> row_of(const test::Tensor& tensor, int row) {
  const auto begin = tensor.values.begin() + row * tensor.columns;
  return {begin, begin + tensor.columns};
}
std::vector<float> filled(float value) { return std::vector<float>(Shapes::P, value); }

/// 100 updates beside PyTorch's in double; update k, counted from 0, is at env step k.
template <class B, class Optimizer>
void check_beside_torch(const std::string& name, const Optimizer& optimizer) {
  const test::Golden initial("torch_optimizers/initial.txt"),
      gradients("torch_optimizers/gradients.txt"), expected("torch_optimizers/" + name + ".txt");
  const auto& start = initial["initial"].values;
  Stepping<B, Optimizer> stepping(optimizer, {start.begin(), start.end()});
  for (int k = 0; k < 100; ++k) {
    stepping.step(row_of(gradients["gradients"], k), {std::uint64_t(k), std::uint64_t(k)});
    if (k != 0 && k != 1 && k != 9 && k != 99) continue;
    const test::Tensor& exact = expected["after_" + std::to_string(k + 1)];
    const std::vector<float> got = stepping.read(stepping.parameters.get());
    double worst = 0;
    for (int i = 0; i < int(Shapes::P); ++i)
      worst = std::max(worst, std::abs(got[i] - exact(i)) / (1 + std::abs(exact(i))));
    INFO(name, " after ", k + 1, " updates");
    // A parameter is rounded by about 2^-24 of its size at each update, and so is the velocity
    // that moves it; roundings add up as roots do.
    const double roundings = optimizer.momentum > 0 ? 2 : 1;
    CHECK(worst <= roundings * std::sqrt(k + 1) * 0x1p-24);
  }
}

/// target ← parameters, behind the step
struct CopyTo {
  const float* parameters;
  float* target;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(target, i.load(parameters));
  }
};

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

std::string refusal(const Sgd& settings) {
  float state[Shapes::P] = {};
  try {
    const Sgd::On<backend::Reference::Machine, Shapes> on(settings, state);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("sgd", Sgd{.rate = 1e-2f});
  check_beside_torch<B>("sgd_momentum", Sgd{.rate = 1e-2f, .momentum = .9f});
}

// All exact in binary. Without momentum 1 - .25 * 2 = .5 and .5 - .25 * -4 = 1.5; with one of .5
// velocities are 2, -4 + 1 = -3 and 0 - 1.5, and 1 - .5 = .5, .5 + .75 = 1.25, 1.25 + .375.
TEST_CASE_TEMPLATE("worked by hand", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> plain(Sgd{.rate = .25f}, filled(1));
  plain.step(filled(2), {0, 0});
  CHECK(plain.read(plain.parameters.get()) == filled(.5f));
  plain.step(filled(-4), {1, 1});
  CHECK(plain.read(plain.parameters.get()) == filled(1.5f));

  Stepping<B, Sgd> moving(Sgd{.rate = .25f, .momentum = .5f}, filled(1));
  moving.step(filled(2), {0, 0});
  CHECK(moving.read(moving.parameters.get()) == filled(.5f));
  moving.step(filled(-4), {1, 1});
  CHECK(moving.read(moving.parameters.get()) == filled(1.25f));
  moving.step(filled(0), {2, 2});
  CHECK(moving.read(moving.parameters.get()) == filled(1.625f));
  CHECK(moving.read(moving.gradient.get()) == filled(0));  // only read
}

// From .5 to .125 over 3 env steps: rates .5, .375, .25, .125, .125 at env steps 0, 1, 2, 3, 9.
TEST_CASE_TEMPLATE("the rate follows the env steps, not the updates", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> stepping(Sgd{.rate = math::Schedule::linear(.5f, .125f, 3)}, filled(8));
  float expected = 8;
  const std::pair<std::uint64_t, float> rates[] = {
      {0, .5f}, {1, .375f}, {2, .25f}, {3, .125f}, {9, .125f}};
  for (const auto& [env_steps, rate] : rates) {
    stepping.step(filled(1), {env_steps, 1000});
    expected -= rate;
    // 1/3 and 2/3 are not exact: a rate errs by 2^-25, and so does each difference.
    for (const float got : stepping.read(stepping.parameters.get()))
      CHECK(std::abs(got - expected) <= 10 * 0x1p-22);
  }
}

TEST_CASE_TEMPLATE("one velocity a parameter", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, Sgd>::On::state_size == Shapes::P);
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, Sgd> stepping(Sgd{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(Shapes::P);
  stepping.step(filled(2), {0, 0}, CopyTo{stepping.parameters.get(), target.get()});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  using Run = Stepping<B, Sgd>;
  const Sgd optimizer{.rate = math::Schedule::linear(.1f, .01f, 4), .momentum = .5f};
  Run eager(optimizer, filled(1)), recorded(optimizer, filled(1));
  const core::Clock start{0, 0};
  const std::vector<float> slopes = filled(.5f);
  recorded.machine.upload(recorded.gradient.get(), slopes.data(), Shapes::P);
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

TEST_CASE("settings in range are accepted") {
  CHECK(refusal({}) == "");
  CHECK(refusal({.rate = 1, .momentum = .99f}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal({.rate = 0}) == "polyq: Sgd.rate = 0; allowed: finite and > 0");
  CHECK(refusal({.rate = -1}) == "polyq: Sgd.rate = -1; allowed: finite and > 0");
  CHECK(refusal({.rate = infinity}) == "polyq: Sgd.rate = inf; allowed: finite and > 0");
  CHECK(refusal({.rate = not_a_number}) == "polyq: Sgd.rate = nan; allowed: finite and > 0");
  CHECK(refusal({.rate = math::Schedule::exponential(1, -1, 9)}) ==
        "polyq: Sgd.rate = -1; allowed: finite and > 0");
  CHECK(refusal({.momentum = 1}) == "polyq: Sgd.momentum = 1; allowed: [0, 1)");
  CHECK(refusal({.momentum = -.5f}) == "polyq: Sgd.momentum = -0.5; allowed: [0, 1)");
  CHECK(refusal({.momentum = not_a_number}) == "polyq: Sgd.momentum = nan; allowed: [0, 1)");
}
