// SPDX-License-Identifier: MIT
// RmsProp follows PyTorch, and Graves where PyTorch has no such form, for 100 updates; it divides
// by no root of less than nothing, and checks its settings.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/rms_prop.hpp>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

namespace math = polyq::math;
using polyq::optim::RmsProp;
using test::check_beside_torch, test::filled, test::check_recorded_as_eager, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr auto under_root = RmsProp::AddEpsilon::under_root;

/// One of each form.
std::vector<RmsProp> forms() {
  std::vector<RmsProp> all;
  for (const bool centered : {false, true})
    for (const float momentum : {0.f, .5f})
      for (const auto add : {RmsProp::AddEpsilon::to_root, under_root})
        all.push_back({.rate = .1f,
                       .alpha = .75f,
                       .epsilon = .25f,
                       .momentum = momentum,
                       .centered = centered,
                       .add_epsilon = add});
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("rms_prop", RmsProp{.rate = 1e-3f});
  check_beside_torch<B>("rms_prop_centered",
                        RmsProp{.rate = 1e-3f, .alpha = .95f, .epsilon = 1e-4f, .centered = true});
  // With momentum the velocity is rounded too.
  check_beside_torch<B>("rms_prop_momentum", RmsProp{.rate = 1e-3f, .momentum = .9f}, 2);
  check_beside_torch<B>(
      "rms_prop_centered_momentum",
      RmsProp{.rate = 1e-3f, .alpha = .95f, .epsilon = 1e-4f, .momentum = .9f, .centered = true},
      2);
  check_beside_torch<B>("rms_prop_linear_rate",
                        RmsProp{.rate = math::Schedule::linear(2e-3f, 2e-4f, 80), .momentum = .9f},
                        2);
}

TEST_CASE_TEMPLATE("100 updates beside Graves's equations, epsilon under the root", B,
                   POLYQ_BACKENDS) {
  check_beside_torch<B>("rms_prop_under_root",
                        RmsProp{.rate = 1e-3f, .epsilon = 1e-2f, .add_epsilon = under_root});
  check_beside_torch<B>("rms_prop_nature", RmsProp{.rate = 2.5e-4f,
                                                   .alpha = .95f,
                                                   .epsilon = 1e-2f,
                                                   .centered = true,
                                                   .add_epsilon = under_root});
  check_beside_torch<B>("rms_prop_graves", RmsProp{.rate = 1e-4f,
                                                   .alpha = .95f,
                                                   .epsilon = 1e-4f,
                                                   .momentum = .9f,
                                                   .centered = true,
                                                   .add_epsilon = under_root});
}

// Of gradients 4 and 0, α = .75: v = 4, then 3; m = 1, then .75; centered v - m² = 3, 2.4375. All
// numbers are exact in binary but roots and quotients.
TEST_CASE_TEMPLATE("worked by hand", B, POLYQ_BACKENDS) {
  const double plain[] = {4, 3}, centered[] = {3, 2.4375};
  for (const RmsProp& form : forms()) {
    CAPTURE(form.centered);
    CAPTURE(form.momentum);
    CAPTURE(form.add_epsilon == under_root);
    Stepping<B, RmsProp> stepping(form, filled(1));
    double velocity = 0, parameter = 1;
    for (int k = 0; k < 2; ++k) {
      const float g = k == 0 ? 4 : 0;
      const double v = form.centered ? centered[k] : plain[k];
      const double root = form.add_epsilon == under_root ? std::sqrt(v + .25) : std::sqrt(v) + .25;
      velocity = form.momentum * velocity + g / root;
      parameter -= double(.1f) * velocity;
      stepping.step(filled(g), {std::uint64_t(k), std::uint64_t(k)});
      for (const float got : stepping.read(stepping.parameters.get()))
        CHECK(std::abs(got - parameter) <=
              4e-7);  // an approximate root's 3.8e-7 of .3, 3 roundings
    }
  }
}

// At gradients g from the start v - m² is g² αᵗ(1 - αᵗ), here 3e-7 g². Float by float it would be
// -4e-6 g², and the step no number.
TEST_CASE_TEMPLATE("the variance of gradients that do not change is as small as it is", B,
                   POLYQ_BACKENDS) {
  constexpr std::uint64_t updates = 1500;
  const double g = 1.1f, left = std::pow(double(.99f), double(updates));
  Stepping<B, RmsProp> stepping(RmsProp{.rate = 1, .centered = true}, filled(0));
  for (std::uint64_t k = 0; k + 1 < updates; ++k) stepping.step(filled(1.1f), {k, k});
  const std::vector<float> zeros = filled(0);  // to see the last step alone
  stepping.machine.upload(stepping.parameters.get(), zeros.data(), P);
  stepping.step(filled(1.1f), {updates - 1, updates - 1});
  const double step = g / (g * std::sqrt(left * (1 - left)) + 1e-8);
  // The mean stands still 3e-6 g from g, where steps are under half a digit; 1e-4 as measured.
  for (const float got : stepping.read(stepping.parameters.get()))
    CHECK(std::abs(got / -step - 1) <= 3e-4);
}

TEST_CASE_TEMPLATE("what has no gradient does not move, so that pads stay zero", B,
                   POLYQ_BACKENDS) {
  for (RmsProp form : forms())
    for (const float epsilon : {1e-8f, 1e-30f}) {
      form.epsilon = epsilon;
      Stepping<B, RmsProp> stepping(form, filled(0));
      for (std::uint64_t k = 0; k < 3; ++k) stepping.step(filled(0), {k, k});
      CHECK(stepping.read(stepping.parameters.get()) == filled(0));
      for (int span = 0; span < 3; ++span)
        CHECK(stepping.read(stepping.state.get() + span * P) == filled(0));
    }
}

TEST_CASE_TEMPLATE("three numbers a parameter, and a gradient that is only read", B,
                   POLYQ_BACKENDS) {
  static_assert(Stepping<B, RmsProp>::On::state_size == 3 * P);
  Stepping<B, RmsProp> stepping(RmsProp{}, filled(1));
  stepping.step(filled(3), {0, 0});
  CHECK(stepping.read(stepping.gradient.get()) == filled(3));
}

TEST_CASE_TEMPLATE("after runs behind each parameter's step", B, POLYQ_BACKENDS) {
  Stepping<B, RmsProp> stepping(RmsProp{.rate = .1f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  for (RmsProp form : forms()) {
    form.rate = math::Schedule::linear(.1f, .01f, 4);
    check_recorded_as_eager<B>(form);
  }
}

TEST_CASE("settings in range are accepted") {
  CHECK(refusal(RmsProp{}) == "");
  CHECK(refusal(RmsProp{.rate = 1, .alpha = 0, .epsilon = 1e-30f, .momentum = .99f}) == "");
  for (const RmsProp& form : forms()) CHECK(refusal(form) == "");
}

TEST_CASE("a setting out of range is refused with its name, value and range") {
  CHECK(refusal(RmsProp{.rate = 0}) == "polyq: RmsProp.rate = 0; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.rate = not_a_number}) ==
        "polyq: RmsProp.rate = nan; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.rate = math::Schedule::linear(1, infinity, 9)}) ==
        "polyq: RmsProp.rate = inf; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.alpha = 1}) == "polyq: RmsProp.alpha = 1; allowed: [0, 1)");
  CHECK(refusal(RmsProp{.alpha = -.5f}) == "polyq: RmsProp.alpha = -0.5; allowed: [0, 1)");
  CHECK(refusal(RmsProp{.alpha = not_a_number}) == "polyq: RmsProp.alpha = nan; allowed: [0, 1)");
  CHECK(refusal(RmsProp{.epsilon = 0}) == "polyq: RmsProp.epsilon = 0; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.epsilon = -1}) == "polyq: RmsProp.epsilon = -1; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.epsilon = infinity}) ==
        "polyq: RmsProp.epsilon = inf; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.epsilon = not_a_number}) ==
        "polyq: RmsProp.epsilon = nan; allowed: finite and > 0");
  CHECK(refusal(RmsProp{.momentum = 1}) == "polyq: RmsProp.momentum = 1; allowed: [0, 1)");
  CHECK(refusal(RmsProp{.momentum = -.5f}) == "polyq: RmsProp.momentum = -0.5; allowed: [0, 1)");
  CHECK(refusal(RmsProp{.momentum = not_a_number}) ==
        "polyq: RmsProp.momentum = nan; allowed: [0, 1)");
}
