// SPDX-License-Identifier: MIT
// An optimizer written outside the library is one and steps on every backend; broken ones are not.
#include <doctest/doctest.h>

#include <polyq/math/activation.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/adam_w.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/optim/concept.hpp>
#include <polyq/optim/decayed.hpp>
#include <polyq/optim/r_adam.hpp>
#include <polyq/optim/rms_prop.hpp>
#include <polyq/optim/sgd.hpp>
#include <vector>

#include "backends.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace optim = polyq::optim;

namespace {

/// parameters ← parameters - rate · sign(gradient), over any lane of values.
struct SignElement {
  float* parameters;
  const float* gradient;
  float rate;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    using V = typename Lane::Value;
    using polyq::math::where_positive;
    const V g = i.load(gradient), step(rate);
    i.store(parameters,
            i.load(parameters) - where_positive(g, step) + where_positive(V(0.f) - g, step));
  }
};

/// The exemplar: about the smallest optimizer that a user can write.
struct SignDescent {
  float rate = 1e-3f;

  template <class Machine, class Shapes>
  class On {
   public:
    static constexpr std::size_t state_size = 0;

    On(const SignDescent& settings, float* /*state*/) : rate_(settings.rate) {
      polyq::require(rate_ > 0, "SignDescent.rate", rate_, "> 0");
    }
    template <class After>
    void step(Machine& machine, float* parameters, const float* gradient,
              const core::Clock* /*clock*/, After after) {
      machine.for_each_element(Shapes::P,
                               backend::Then{SignElement{parameters, gradient, rate_}, after});
    }

   private:
    float rate_;
  };
};

struct Shapes {
  static constexpr std::size_t P = 33;
};

using Oracle = backend::Reference::Machine;
using Fast = test::Fast::Machine;
template <class O>
constexpr bool is_optimizer =
    optim::OptimizerOn<O, Oracle, Shapes>&& optim::OptimizerOn<O, Fast, Shapes>;
static_assert(is_optimizer<SignDescent> && is_optimizer<optim::Clipped<SignDescent>>);
static_assert(is_optimizer<optim::Adam> && is_optimizer<optim::Sgd>);
static_assert(is_optimizer<optim::AdamW> && is_optimizer<optim::RAdam>);
static_assert(is_optimizer<optim::RmsProp> && is_optimizer<optim::Decayed<SignDescent>>);
static_assert(is_optimizer<optim::Clipped<optim::Clipped<optim::Adam>>>);
static_assert(is_optimizer<optim::Clipped<optim::Decayed<optim::RmsProp>>>);
static_assert(is_optimizer<optim::Decayed<optim::Clipped<optim::AdamW>>>);

struct WithoutState {
  template <class Machine, class>
  struct On {
    On(const WithoutState&, float*) {}
    template <class After>
    void step(Machine&, float*, float*, const core::Clock*, After) {}
  };
};
struct WithoutAfter {
  template <class Machine, class>
  struct On {
    static constexpr std::size_t state_size = 0;
    On(const WithoutAfter&, float*) {}
    void step(Machine&, float*, float*, const core::Clock*) {}
  };
};
struct WithoutSettings {
  template <class Machine, class>
  struct On {
    static constexpr std::size_t state_size = 0;
    explicit On(float*) {}
    template <class After>
    void step(Machine&, float*, float*, const core::Clock*, After) {}
  };
};
static_assert(!optim::OptimizerOn<WithoutState, Oracle, Shapes>);
static_assert(!optim::OptimizerOn<WithoutAfter, Oracle, Shapes>);
static_assert(!optim::OptimizerOn<WithoutSettings, Oracle, Shapes>);
static_assert(!optim::OptimizerOn<float, Oracle, Shapes>);

struct Negate {
  const float* from;
  float* to;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(to, typename Lane::Value(0.f) - i.load(from));
  }
};

}  // namespace

TEST_CASE_TEMPLATE("a user's optimizer steps on every backend, and what follows behind it", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  Machine machine(B{});
  std::vector<float> start(Shapes::P), slopes(Shapes::P), expected(Shapes::P), negated(Shapes::P);
  for (std::size_t i = 0; i < Shapes::P; ++i) {
    start[i] = float(i);
    slopes[i] = float(i % 3) - 1;  // -1, 0, 1
    expected[i] = start[i] - .5f * slopes[i];
    negated[i] = -expected[i];
  }
  const auto parameters = machine.template allocate<float>(Shapes::P),
             gradient = machine.template allocate<float>(Shapes::P),
             after = machine.template allocate<float>(Shapes::P);
  machine.upload(parameters.get(), start.data(), Shapes::P);
  machine.upload(gradient.get(), slopes.data(), Shapes::P);
  SignDescent::On<Machine, Shapes> on(SignDescent{.rate = .5f}, nullptr);
  on.step(machine, parameters.get(), gradient.get(), nullptr,
          Negate{parameters.get(), after.get()});
  std::vector<float> got(Shapes::P);
  machine.download(got.data(), parameters.get(), Shapes::P);
  CHECK(got == expected);
  machine.download(got.data(), after.get(), Shapes::P);
  CHECK(got == negated);
}
