// SPDX-License-Identifier: MIT
// Clipped scales long gradients as PyTorch does, leaves short ones alone, and steps its inner.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <polyq/dqn/sync_target.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/optim/sgd.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "stepping.hpp"

using polyq::optim::Adam, polyq::optim::Clipped, polyq::optim::Sgd;
using test::check_beside_torch, test::filled, test::refusal, test::Stepping;

namespace {

constexpr std::size_t P = test::OptimizerShapes::P;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Both are deduced, with the norm and without.
static_assert(std::is_same_v<decltype(Clipped{Adam{}, .5f}), Clipped<Adam>>);
static_assert(std::is_same_v<decltype(Clipped{Sgd{}}), Clipped<Sgd>>);

/// Adam by `step` alone, which Clipped cannot take into its pass.
struct StepOnly {
  Adam inner;
  template <class Machine, class Shapes>
  struct On {
    using Inner = Adam::On<Machine, Shapes>;
    static constexpr std::size_t state_size = Inner::state_size;
    Inner inner;
    On(const StepOnly& settings, float* state) : inner(settings.inner, state) {}
    template <class After>
    void step(Machine& machine, float* parameters, float* gradient, const polyq::core::Clock* clock,
              After after) {
      inner.step(machine, parameters, gradient, clock, after);
    }
  };
};

}  // namespace

TEST_CASE_TEMPLATE("one pass for scaling and stepping steps as two do", B, POLYQ_BACKENDS) {
  Stepping<B, Clipped<Adam>> one(Clipped{Adam{}, 1.f}, filled(1));
  Stepping<B, Clipped<StepOnly>> two(Clipped{StepOnly{}, 1.f}, filled(1));
  std::vector<float> slopes(P);
  for (std::size_t i = 0; i < P; ++i) slopes[i] = float(i) - 9;
  for (std::uint64_t k = 0; k < 20; ++k) {
    one.step(slopes, {k, k});
    two.step(slopes, {k, k});
  }
  const auto a = one.read(one.parameters.get()), b = two.read(two.parameters.get());
  for (std::size_t i = 0; i < P; ++i) CHECK(std::abs(a[i] - b[i]) <= 2e-6f);
}

TEST_CASE_TEMPLATE("100 updates beside PyTorch", B, POLYQ_BACKENDS) {
  check_beside_torch<B>("adam_clipped", Clipped{Adam{.rate = 2e-3f}, 10.f});
  check_beside_torch<B>("sgd_clipped", Clipped{Sgd{.rate = 1e-2f}, .5f});
}

// |(3, 0, …, 0, -4)| = 5, to be 1: a factor of 1 / (5 + 1e-6), and a step of rate 1.
TEST_CASE_TEMPLATE("a long gradient is scaled in place, over all parameters", B, POLYQ_BACKENDS) {
  std::vector<float> slopes = filled(0);
  slopes[0] = 3, slopes[36] = -4;
  Stepping<B, Clipped<Sgd>> stepping(Clipped{Sgd{.rate = 1}, 1.f}, filled(0));
  stepping.step(slopes, {0, 0});
  const std::vector<float> scaled = stepping.read(stepping.gradient.get()),
                           parameters = stepping.read(stepping.parameters.get());
  for (std::size_t i = 0; i < P; ++i) {
    // 5 + 1e-6, the quotient and the product are rounded, each by 2^-24.
    CHECK(std::abs(scaled[i] - slopes[i] / (5 + 1e-6)) <= 3 * 0x1p-24 * std::abs(slopes[i] / 5));
    CHECK(parameters[i] == -scaled[i]);
  }
}

TEST_CASE_TEMPLATE("a short gradient, and none at all, is left as it is", B, POLYQ_BACKENDS) {
  std::vector<float> slopes = filled(0);
  for (const float size : {0.f, 1e-30f, .1f, 4.999f}) {
    CAPTURE(size);
    slopes[17] = size;
    Stepping<B, Clipped<Sgd>> stepping(Clipped{Sgd{.rate = 1}, 5.f}, filled(0));
    stepping.step(slopes, {0, 0});
    CHECK(stepping.read(stepping.gradient.get()) == slopes);
  }
}

TEST_CASE_TEMPLATE("the norm is of this gradient alone", B, POLYQ_BACKENDS) {
  // Were sums to grow from step to step, the third gradient would be clipped: √3 * 4 > 5.
  std::vector<float> slopes = filled(0);
  slopes[0] = 4;
  Stepping<B, Clipped<Sgd>> stepping(Clipped{Sgd{.rate = 1}, 5.f}, filled(0));
  for (std::uint64_t k = 0; k < 3; ++k) stepping.step(slopes, {k, k});
  CHECK(stepping.read(stepping.parameters.get())[0] == -12);
}

TEST_CASE_TEMPLATE("its state is the inner one's and a number, apart from each other", B,
                   POLYQ_BACKENDS) {
  static_assert(Stepping<B, Clipped<Sgd>>::On::state_size == P + 1);
  static_assert(Stepping<B, Clipped<Adam>>::On::state_size == 2 * P + 1);
  // A norm that is never reached: the same bits as without clipping, momentum included.
  const Sgd sgd{.rate = .1f, .momentum = .9f};
  Stepping<B, Clipped<Sgd>> clipped(Clipped{sgd, 1e6f}, filled(1));
  Stepping<B, Sgd> plain(sgd, filled(1));
  for (std::uint64_t k = 0; k < 5; ++k) {
    clipped.step(filled(.3f), {k, k});
    plain.step(filled(.3f), {k, k});
  }
  CHECK(clipped.read(clipped.parameters.get()) == plain.read(plain.parameters.get()));
}

TEST_CASE_TEMPLATE("after runs behind the inner step", B, POLYQ_BACKENDS) {
  Stepping<B, Clipped<Sgd>> stepping(Clipped{Sgd{.rate = 1}, 1.f}, filled(1));
  const auto target = stepping.machine.template allocate<float>(P);
  stepping.step(
      filled(2), {0, 0},
      polyq::SyncTarget{target.get(), stepping.parameters.get(), stepping.clock.get(), 1, 1});
  CHECK(stepping.read(target.get()) == stepping.read(stepping.parameters.get()));
  CHECK(stepping.read(target.get()) != filled(1));
}

TEST_CASE("settings are refused with name, value and range, the inner one's too") {
  CHECK(refusal(Clipped{Sgd{}}) == "");
  const auto of_norm = [](float norm) { return refusal(Clipped{Sgd{}, norm}); };
  CHECK(of_norm(0) == "polyq: Clipped.max_norm = 0; allowed: finite and > 0");
  CHECK(of_norm(-1) == "polyq: Clipped.max_norm = -1; allowed: finite and > 0");
  CHECK(of_norm(infinity) == "polyq: Clipped.max_norm = inf; allowed: finite and > 0");
  CHECK(of_norm(not_a_number) == "polyq: Clipped.max_norm = nan; allowed: finite and > 0");
  CHECK(refusal(Clipped{Sgd{.rate = 0}, 1.f}) == "polyq: Sgd.rate = 0; allowed: finite and > 0");
}
