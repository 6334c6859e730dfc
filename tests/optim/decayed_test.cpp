// SPDX-License-Identifier: MIT
// Decayed adds the penalty's gradient as PyTorch's weight_decay does, takes no pass more, and steps
// its inner.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/optim/decayed.hpp>
#include <polyq/optim/r_adam.hpp>
#include <polyq/optim/rms_prop.hpp>
#include <polyq/optim/sgd.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

using polyq::optim::Adam, polyq::optim::Clipped, polyq::optim::Decayed, polyq::optim::RAdam,
    polyq::optim::RmsProp, polyq::optim::Sgd;
using test::check_beside_torch, test::check_recorded_as_eager, test::filled, test::refusal,
    test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Deduced, with the decay and without, of each other too.
static_assert(std::is_same_v<decltype(Decayed{Adam{}, .5f}), Decayed<Adam>>);
static_assert(std::is_same_v<decltype(Decayed{Sgd{}}), Decayed<Sgd>>);
static_assert(
    std::is_same_v<decltype(Clipped{Decayed{Adam{}, 1e-4f}, 10.f}), Clipped<Decayed<Adam>>>);
static_assert(std::is_same_v<decltype(Decayed{Clipped{Sgd{}}}), Decayed<Clipped<Sgd>>>);

/// A machine that only counts what it is asked for.
struct Counting {
  int elements = 0, sums = 0;
  template <class F>
  void for_each_element(std::int64_t, F) {
    ++elements;
  }
  template <class F>
  void sum(std::int64_t, F, float*) {
    ++sums;
  }
};
template <class Optimizer>
Counting passes_of(const Optimizer& optimizer) {
  using On = typename Optimizer::template On<Counting, test::OptimizerShapes>;
  Counting machine;
  float state[On::state_size] = {}, parameters[P] = {}, gradient[P] = {};
  const polyq::core::Clock clock{};
  On(optimizer, state).step(machine, parameters, gradient, &clock, polyq::backend::Nothing{});
  return machine;
}

}  // namespace

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("sgd_decayed", Decayed{Sgd{.rate = 1e-2f}, 1e-2f});
  check_beside_torch<B>("adam_decayed", Decayed{Adam{.rate = 2e-3f}, 1e-2f});
  check_beside_torch<B>("r_adam_decayed", Decayed{RAdam{.rate = 2e-3f}, 1e-2f});
  check_beside_torch<B>("rms_prop_decayed", Decayed{RmsProp{.rate = 1e-3f}, 1e-2f});
  check_beside_torch<B>("adam_clipped_decayed", Clipped{Decayed{Adam{.rate = 2e-3f}, 1e-2f}, 10.f});
}

// Gradients 2 + .5 * 4 = 4 and 0 + .5 * 3 = 1.5 at a rate of .25: 4, 3, 2.625, exact in binary.
TEST_CASE_TEMPLATE("worked by hand", B, POLYQ_BACKENDS) {
  Stepping<B, Decayed<Sgd>> stepping(Decayed{Sgd{.rate = .25f}, .5f}, filled(4));
  stepping.step(filled(2), {0, 0});
  CHECK(stepping.read(stepping.parameters.get()) == filled(3));
  CHECK(stepping.read(stepping.gradient.get()) == filled(4));  // in place
  stepping.step(filled(0), {1, 1});
  CHECK(stepping.read(stepping.parameters.get()) == filled(2.625f));
}

TEST_CASE("it takes no pass of its own where the inner step is one element's") {
  CHECK(passes_of(Decayed{Adam{}}).elements == 1);
  CHECK(passes_of(Decayed{Decayed{Sgd{}}}).elements == 1);
  const Counting outside = passes_of(Clipped{Decayed{Adam{}, 1e-4f}, 10.f});
  CHECK(outside.sums == 1);
  CHECK(outside.elements == 1);
  const Counting inside = passes_of(Decayed{Clipped{Adam{}, 10.f}, 1e-4f});
  CHECK(inside.sums == 1);
  CHECK(inside.elements == 2);
}

// The gradient is 5 long, with the decay |(6, -5 + 13)| = 10.
TEST_CASE_TEMPLATE("Clipped outside clips without the decay, inside with it", B, POLYQ_BACKENDS) {
  std::vector<float> initial = filled(0), slopes = filled(0);
  initial[5] = 6, initial[36] = 13;
  slopes[36] = -5;
  Stepping<B, Clipped<Decayed<Sgd>>> outside(Clipped{Decayed{Sgd{.rate = 1}, 1.f}, 5.5f}, initial);
  outside.step(slopes, {0, 0});
  CHECK(outside.read(outside.gradient.get())[5] == 6);
  CHECK(outside.read(outside.gradient.get())[36] == 8);
  CHECK(outside.read(outside.parameters.get())[36] == 5);
  // A factor of 5 / (10 + 1e-6).
  Stepping<B, Decayed<Clipped<Sgd>>> inside(Decayed{Clipped{Sgd{.rate = 1}, 5.f}, 1.f}, initial);
  inside.step(slopes, {0, 0});
  CHECK(inside.read(inside.gradient.get())[5] == doctest::Approx(3).epsilon(1e-6));
  CHECK(inside.read(inside.gradient.get())[36] == doctest::Approx(4).epsilon(1e-6));
  CHECK(inside.read(inside.parameters.get())[36] == doctest::Approx(9).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("a decay of 0 leaves the inner step's bits", B, POLYQ_BACKENDS) {
  const Adam adam{.rate = .1f};
  Stepping<B, Decayed<Adam>> decayed(Decayed{adam, 0.f}, filled(1));
  Stepping<B, Adam> plain(adam, filled(1));
  for (std::uint64_t k = 0; k < 5; ++k) {
    decayed.step(filled(.3f), {k, k});
    plain.step(filled(.3f), {k, k});
    CHECK(decayed.read(decayed.parameters.get()) == plain.read(plain.parameters.get()));
  }
}

TEST_CASE_TEMPLATE("pads stay zero", B, POLYQ_BACKENDS) {
  static_assert(Stepping<B, Decayed<Adam>>::On::state_size == 2 * P);
  Stepping<B, Decayed<Adam>> stepping(Decayed{Adam{}, .5f}, filled(0));
  for (std::uint64_t k = 0; k < 3; ++k) stepping.step(filled(0), {k, k});
  CHECK(stepping.read(stepping.parameters.get()) == filled(0));
  CHECK(stepping.read(stepping.gradient.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get()) == filled(0));
  CHECK(stepping.read(stepping.state.get() + P) == filled(0));
}

TEST_CASE_TEMPLATE("after runs behind the inner step, in one pass and in two", B, POLYQ_BACKENDS) {
  const auto check = [](const auto& optimizer) {
    Stepping<B, std::decay_t<decltype(optimizer)>> stepping(optimizer, filled(1));
    const auto target = stepping.machine.template allocate<float>(P);
    stepping.step(
        filled(2), {0, 0},
        polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
    CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
    CHECK(stepping.read(target.get()) != filled(1));
  };
  check(Decayed{Sgd{.rate = .1f}, .5f});
  check(Decayed{Clipped{Sgd{.rate = .1f}}, .5f});
}

TEST_CASE_TEMPLATE("a recorded step follows the clock as an eager one does", B, POLYQ_BACKENDS) {
  // Without decay, as the recording's gradient is never given anew: what is recorded is the order.
  check_recorded_as_eager<B>(
      Decayed{Adam{.rate = polyq::math::Schedule::linear(.1f, .01f, 4)}, 0.f});
}

TEST_CASE("settings are refused with name, value and range, the inner one's too") {
  CHECK(refusal(Decayed{Sgd{}}) == "");
  const auto of_decay = [](float decay) { return refusal(Decayed{Sgd{}, decay}); };
  CHECK(of_decay(0) == "");
  CHECK(of_decay(-1) == "polyq: Decayed.decay = -1; allowed: finite and >= 0");
  CHECK(of_decay(infinity) == "polyq: Decayed.decay = inf; allowed: finite and >= 0");
  CHECK(of_decay(not_a_number) == "polyq: Decayed.decay = nan; allowed: finite and >= 0");
  CHECK(refusal(Decayed{Sgd{.rate = 0}, 1.f}) == "polyq: Sgd.rate = 0; allowed: finite and > 0");
  CHECK(refusal(Clipped{Decayed{Sgd{}, -1.f}, 1.f}) ==
        "polyq: Decayed.decay = -1; allowed: finite and >= 0");
}
