// SPDX-License-Identifier: MIT
// A layer written outside the library is one, works beside the others, and broken ones are refused.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <polyq/nn/concept.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

/// y ← gain · x per feature, one sample.
template <class X, class Y>
struct GainColumn {
  const float* gain;
  X x;
  Y y;
  POLYQ_HD void operator()(std::int64_t sample) const {
    for (int i = 0; i < X::rows; ++i) y(i, int(sample)) = gain[i] * x(i, int(sample));
  }
};
/// The gradient of one gain: the sum over samples of dy · x.
template <class X, class DY>
struct GainSlope {
  X x;
  DY dy;
  float* gradient;
  POLYQ_HD void operator()(std::int64_t feature) const {
    gradient[feature] = 0;
    for (int sample = 0; sample < X::columns; ++sample)
      gradient[feature] += dy(int(feature), sample) * x(int(feature), sample);
  }
};
/// dx ← gain · dy times the slope of the activation that made x, one sample.
template <class Below, class X, class DY, class DX>
struct GainPull {
  const float* gain;
  X x;
  DY dy;
  DX dx;
  POLYQ_HD void operator()(std::int64_t sample) const {
    for (int i = 0; i < X::rows; ++i)
      dx(i, int(sample)) = Below::pull(x(i, int(sample)), gain[i] * dy(i, int(sample)));
  }
};

/// The exemplar: about the smallest trained layer that a user can write.
template <int N>
struct Gain {
  static constexpr int in = N, out = N, layer_count = 1;
  static constexpr std::size_t parameter_count = N;
  static constexpr bool trained = true;
  using Output = math::Identity;

  template <class Storage>
  static constexpr std::size_t parameters() {
    return core::round_up(N, Storage::granule);
  }
  template <class Storage>
  static constexpr std::array<core::Block, 1> blocks() {
    return {{{0, "gain", N, 1, 1, 0, 0, trained}}};
  }
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return 0;
  }
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return 0;
  }
  void initialise(std::uint64_t, std::uint32_t, float* packed) const {
    for (int i = 0; i < N; ++i) packed[i] = 1;
  }
  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* gain, X x, Y y, float*, const nn::Pass&) {
    machine.for_each(X::columns, GainColumn<X, Y>{gain, x, y});
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* gain, X x, const float*, DY dy,
                       float* gradient, DX dx, float*, const nn::Pass&) {
    machine.for_each(N, GainSlope<X, DY>{x, dy, gradient});
    if constexpr (!std::is_same_v<DX, core::Absent>)
      machine.for_each(X::columns, GainPull<Below, X, DY, DX>{gain, x, dy, dx});
  }
};

using Oracle = backend::Reference::Machine;
using Fast = test::Fast::Machine;
static_assert(nn::LayerOn<Gain<4>, Oracle, 8> && nn::LayerOn<Gain<40>, Fast, 8>);
static_assert(nn::LayerOn<nn::Linear<4, 2>, Oracle, 1> && nn::LayerOn<nn::Linear<4, 40>, Fast, 64>);
static_assert(nn::LayerOn<nn::Scale<4>, Oracle, 1> && nn::LayerOn<nn::Scale<4>, Fast, 64>);
static_assert(nn::LayerOn<nn::Mlp<4, 40, 2>, Oracle, 3> && nn::LayerOn<nn::Mlp<4, 40, 2>, Fast, 3>);
using Mixed = nn::Sequential<nn::Scale<3>, nn::Linear<3, 17, math::Relu>, Gain<17>,
                             nn::Sequential<nn::Linear<17, 2>, Gain<2>>>;
static_assert(nn::LayerOn<Mixed, Oracle, 5> && nn::LayerOn<Mixed, Fast, 5>);

// Each lacks one thing; a name declared again hides the exemplar's.
struct WithoutBackward : Gain<4> {
  static void backward();
};
struct WithoutTape : Gain<4> {
  static void tape_size();
};
struct WithoutOutput : Gain<4> {
 private:
  using Output = math::Identity;
};
struct WithoutStart : Gain<4> {
  void initialise();
};
struct WithSizeOfInt : Gain<4> {
  template <class Storage>
  static constexpr int parameters() {
    return 4;
  }
};
static_assert(!nn::LayerOn<WithoutBackward, Oracle, 8>);
static_assert(!nn::LayerOn<WithoutTape, Oracle, 8>);
static_assert(!nn::LayerOn<WithoutOutput, Oracle, 8>);
static_assert(!nn::LayerOn<WithoutStart, Oracle, 8>);
static_assert(!nn::LayerOn<WithSizeOfInt, Oracle, 8>);
static_assert(!nn::LayerOn<math::Relu, Oracle, 8>);

// A network says what it observes and how many actions it rates.
static_assert(nn::Network<nn::Mlp<4, 40, 2>> && nn::Network<Mixed>);
static_assert(!nn::Network<nn::Linear<4, 2>> && !nn::Network<Gain<4>>);

}  // namespace

// Gains (2, -1, 3) behind relu(W x) with W the unit matrix: x = (1, -2, 3) gives (1, 0, 3), and
// gains make it (2, 0, 9). With dy = (1, 10, 100): the gains' gradient is dy times their input,
// (1, 0, 300); relu's input gets gain · dy = (2, -10, 300) where it was above 0: (2, 0, 300), which
// is the bias's gradient, and times xᵀ the weight's.
TEST_CASE_TEMPLATE("a user's layer stands above the library's", B, POLYQ_BACKENDS) {
  using Network = nn::Sequential<nn::Linear<3, 3, math::Relu>, Gain<3>>;
  using Storage = typename B::Machine::Storage;
  using X = backend::Activations<Storage, float, 3, 1>;
  const std::vector<float> packed{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, -1, 3};
  static_assert(Network::parameter_count == 15);
  constexpr auto blocks = Network::template blocks<Storage>();
  std::vector<float> padded(Network::template parameters<Storage>());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { padded[at] = packed[i]; });

  typename B::Machine machine(B{});
  const auto uploaded = [&](const std::vector<float>& values) {
    auto memory = machine.template allocate<float>(values.size());
    machine.upload(memory.get(), values.data(), values.size());
    return memory;
  };
  const auto parameters = uploaded(padded), gradient = uploaded(std::vector<float>(padded.size())),
             x = uploaded({1, -2, 3}), y = uploaded({0, 0, 0}), dy = uploaded({1, 10, 100}),
             tape = uploaded(std::vector<float>(Network::template tape_size<Storage, 1>())),
             scratch = uploaded(std::vector<float>(Network::template scratch_size<Storage, 1>()));
  const nn::Pass pass{nn::Role::online, nullptr, 0};
  Network::forward(machine, parameters.get(), X{x.get()}, X{y.get()}, tape.get(), pass);
  Network::template backward<math::Identity>(machine, parameters.get(), X{x.get()}, tape.get(),
                                             X{dy.get()}, gradient.get(), core::Absent{},
                                             scratch.get(), pass);
  std::vector<float> values(3), slopes(padded.size()), got(packed.size());
  machine.download(values.data(), y.get(), 3);
  CHECK(values == std::vector<float>{2, 0, 9});
  machine.download(slopes.data(), gradient.get(), slopes.size());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { got[i] = slopes[at]; });
  CHECK(got == std::vector<float>{2, -4, 6, 0, 0, 0, 300, -600, 900, 2, 0, 300, 1, 0, 300});
}
