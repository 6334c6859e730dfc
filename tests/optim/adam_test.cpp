// SPDX-License-Identifier: MIT
// Adam follows PyTorch for 100 updates, adds epsilon where PyTorch does, and checks its settings.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/optim/adam.hpp>
#include <string>
#include <vector>

#include "backends.hpp"
#include "golden.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
using polyq::optim::Adam;

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
    // A parameter is rounded by about 2^-24 of its size at each update; roundings add up as roots
    // do. The step is so small beside it that its own roundings do not show.
    CHECK(worst <= std::sqrt(k + 1) * 0x1p-24);
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

std::string refusal(const Adam& settings) {
  float state[2 * Shapes::P] = {};
  try {
    const Adam::On<backend::Reference::Machine, Shapes> on(settings, state);
  } catch (const polyq::SettingsError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  using math::Schedule;
  check_beside_torch<B>("adam", Adam{.rate = 2e-3f});
  check_beside_torch<B>("adam_betas",
                        Adam{.rate = 1e-2f, .beta1 = .8f, .beta2 = .95f, .epsilon = 1e-4f});
  check_beside_torch<B>("adam_linear_rate", Adam{.rate = Schedule::linear(2e-3f, 2e-4f, 80)});
  check_beside_torch<B>("adam_exponential_rate",
                        Adam{.rate = Schedule::exponential(2e-3f, 2e-4f, 80)});
}

// m = (1 - β1) g and v = (1 - β2) g², both corrected to g and g²: a step of rate g / (|g| + ε).
TEST_CASE_TEMPLATE("the first step has the size of the rate, epsilon beside the corrected root", B,
                   POLYQ_BACKENDS) {
  for (const Adam& adam : {Adam{.rate = .5f, .epsilon = .125f},
                           Adam{.rate = .5f, .beta1 = 0, .beta2 = 0, .epsilon = .125f}}) {
    std::vector<float> slopes = filled(0), expected = filled(0);
    slopes[0] = .125f, expected[0] = -.25f;         // -.5 * .125 / .25
    slopes[1] = -.375f, expected[1] = .375f;        // .5 * .375 / .5
    slopes[36] = 3.875f, expected[36] = -.484375f;  // -.5 * 3.875 / 4
    Stepping<B, Adam> stepping(adam, filled(0));
    stepping.step(slopes, {0, 0});
    const std::vector<float> got = stepping.read(stepping.parameters.get());
    // Corrections err by 1.3e-7, an approximate root by 3.8e-7, five operations by 6e-8 each.
    for (std::size_t i = 0; i < Shapes::P; ++i)
      CHECK(std::abs(got[i] - expected[i]) <= 9e-7 * std::abs(expected[i]));
  }
}

// From moments of 0 at update t a step is rate (1 - β1) / (1 - β1ᵗ) / √((1 - β2) / (1 - β2ᵗ)).
TEST_CASE_TEMPLATE("the corrections are the clock's, to the last of its updates", B,
                   POLYQ_BACKENDS) {
  for (const std::uint64_t updates : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{999},
                                      std::uint64_t{100'000}, std::uint64_t{1} << 40}) {
    CAPTURE(updates);
    const double t = double(updates) + 1, b1 = .9f, b2 = .999f;
    const double step =
        (1 - b1) / (1 - std::pow(b1, t)) / std::sqrt((1 - b2) / (1 - std::pow(b2, t)));
    Stepping<B, Adam> stepping(Adam{.rate = 1, .epsilon = 1e-20f}, filled(0));
    stepping.step(filled(1), {0, updates});
    for (const float got : stepping.read(stepping.parameters.get()))
      CHECK(std::abs(got / -step - 1) <= 9e-7);  // for the reasons above
  }
}

TEST_CASE_TEMPLATE("what has no gradient does not move, so that pads stay zero", B,
                   POLYQ_BACKENDS) {
  Stepping<B, Adam> stepping(Adam{}, filled(0));
  for (std::uint64_t k = 0; k < 3; ++k) stepping.step(filled(0), {k, k});
  CHECK(stepping.read(stepping.parameters.get()) == filled(0));
}

TEST_CASE_TEMPLATE("two moments a parameter, and a gradient that is only read", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, Adam>::On::state_size == 2 * Shapes::P);
  Stepping<B, Adam> stepping(Adam{}, filled(1));
  stepping.step(filled(3), {0, 0});
  CHECK(stepping.read(stepping.gradient.get()) == filled(3));
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, Adam> stepping(Adam{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(Shapes::P);
  stepping.step(filled(2), {0, 0}, CopyTo{stepping.parameters.get(), target.get()});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  using Run = Stepping<B, Adam>;
  const Adam optimizer{.rate = math::Schedule::linear(.1f, .01f, 4)};
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
  CHECK(refusal({.rate = 1, .beta1 = 0, .beta2 = 0, .epsilon = 1e-30f}) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal({.rate = 0}) == "polyq: Adam.rate = 0; allowed: finite and > 0");
  CHECK(refusal({.rate = -1}) == "polyq: Adam.rate = -1; allowed: finite and > 0");
  CHECK(refusal({.rate = infinity}) == "polyq: Adam.rate = inf; allowed: finite and > 0");
  CHECK(refusal({.rate = not_a_number}) == "polyq: Adam.rate = nan; allowed: finite and > 0");
  CHECK(refusal({.rate = math::Schedule::linear(1, 0, 9)}) ==
        "polyq: Adam.rate = 0; allowed: finite and > 0");
  CHECK(refusal({.beta1 = 1}) == "polyq: Adam.beta1 = 1; allowed: [0, 1)");
  CHECK(refusal({.beta1 = -.5f}) == "polyq: Adam.beta1 = -0.5; allowed: [0, 1)");
  CHECK(refusal({.beta1 = not_a_number}) == "polyq: Adam.beta1 = nan; allowed: [0, 1)");
  CHECK(refusal({.beta2 = 1}) == "polyq: Adam.beta2 = 1; allowed: [0, 1)");
  CHECK(refusal({.beta2 = -1}) == "polyq: Adam.beta2 = -1; allowed: [0, 1)");
  CHECK(refusal({.beta2 = not_a_number}) == "polyq: Adam.beta2 = nan; allowed: [0, 1)");
  CHECK(refusal({.epsilon = 0}) == "polyq: Adam.epsilon = 0; allowed: finite and > 0");
  CHECK(refusal({.epsilon = -1}) == "polyq: Adam.epsilon = -1; allowed: finite and > 0");
  CHECK(refusal({.epsilon = infinity}) == "polyq: Adam.epsilon = inf; allowed: finite and > 0");
  CHECK(refusal({.epsilon = not_a_number}) == "polyq: Adam.epsilon = nan; allowed: finite and > 0");
}
