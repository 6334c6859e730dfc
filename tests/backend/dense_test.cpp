// SPDX-License-Identifier: MIT
// A dense layer, forward and backward: by hand, and every backend beside Reference; pads stay zero.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <polyq/backend/dense.hpp>
#include <polyq/backend/thrust.hpp>
#include <polyq/core/arena.hpp>
#include <polyq/core/random.hpp>
#include <polyq/math/activation.hpp>
#include <type_traits>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
using test::downloaded, test::uploaded;

namespace {

/// What goes into a layer and comes out, without pads; w and dw are [Out, In] row by row, the
/// others one sample after another.
struct Layer {
  std::vector<float> w, bias, x, dy, y = {}, dw = {}, dbias = {}, dx = {};
};

/// Where a backend puts a tensor: element (outer, inner), counted as Layer counts.
struct Form {
  int outer, inner, outer_step, inner_step;
  std::size_t floats;  // with pads

  std::size_t columns() const { return std::size_t(outer) * outer_step; }
  std::vector<float> padded(const std::vector<float>& values) const {
    std::vector<float> memory(floats);
    for (int a = 0, i = 0; a < outer; ++a)
      for (int b = 0; b < inner; ++b) memory[a * outer_step + b * inner_step] = values[i++];
    return memory;
  }
  /// Checks that the pads are zeros or, where a backend leaves them alone, the garbage from before.
  std::vector<float> packed(std::vector<float> memory, bool left_alone = false) const {
    const float pad = left_alone ? std::numeric_limits<float>::quiet_NaN() : 0;
    std::vector<float> values;
    for (int a = 0; a < outer; ++a)
      for (int b = 0; b < inner; ++b) {
        float& value = memory[a * outer_step + b * inner_step];
        values.push_back(value);
        value = pad;
      }
    CHECK(std::all_of(memory.begin(), memory.end(),
                      [&](float found) { return left_alone ? std::isnan(found) : found == 0; }));
    return values;
  }
};

/// A weight [Out, In] on `data`, in either order.
template <class W>
W weight_of(float* data) {
  if constexpr (requires { W::stride; }) {
    return W{data};
  } else {
    return W{{data}};
  }
}

/// How a layer's tensors lie on some backend, and the scratch it asks for.
struct Forms {
  Form weight, vector, input, output;
  std::size_t scratch;
};
/// Where they lie.
struct Places {
  float *w, *bias, *x, *dy, *y, *dw, *dbias, *dx, *scratch;
};

/// Runs both passes on backend B; results that are overwritten start as garbage. One function for
/// all sizes, since it is long to compile.
template <class B>
Layer run_passes(Layer layer, const Forms& forms,
                 void (*passes)(typename B::Machine&, const Places&)) {
  typename B::Machine machine(B{});
  constexpr float garbage = std::numeric_limits<float>::quiet_NaN();
  const auto w = uploaded(machine, forms.weight.padded(layer.w)),
             bias = uploaded(machine, forms.vector.padded(layer.bias)),
             x = uploaded(machine, forms.input.padded(layer.x)),
             dy = uploaded(machine, forms.output.padded(layer.dy)),
             y = uploaded(machine, std::vector<float>(forms.output.floats, garbage)),
             dx = uploaded(machine, std::vector<float>(forms.input.floats, garbage)),
             dw = uploaded(machine, std::vector<float>(forms.weight.floats)),
             dbias = uploaded(machine, std::vector<float>(forms.vector.floats)),
             scratch = uploaded(machine, std::vector<float>(forms.scratch + 1, garbage));
  passes(machine, {w.get(), bias.get(), x.get(), dy.get(), y.get(), dw.get(), dbias.get(), dx.get(),
                   scratch.get()});

  // Behind the last column an activation may be rounded up; that part nobody reads or writes.
  constexpr bool leaves_pads =
      std::is_same_v<typename B::Machine::Storage, backend::ThrustStorage>;  // and never reads them
  layer.y = forms.output.packed(downloaded(machine, y.get(), forms.output.columns()), leaves_pads);
  layer.dx = forms.input.packed(downloaded(machine, dx.get(), forms.input.columns()), leaves_pads);
  layer.dw = forms.weight.packed(downloaded(machine, dw.get(), forms.weight.floats));
  layer.dbias = forms.vector.packed(downloaded(machine, dbias.get(), forms.vector.floats));
  return layer;
}

template <class B, int In, int Out, int Samples, class Activation, class Below>
Layer run(const Layer& layer) {
  using Machine = typename B::Machine;
  using Storage = typename Machine::Storage;
  using W = backend::Weight<Storage, float, Out, In>;
  using X = backend::Activations<Storage, float, In, Samples>;
  using Y = backend::Activations<Storage, float, Out, Samples>;
  constexpr bool contiguous = Storage::outputs_contiguous(Out, In);
  const auto rounded = [](int count) {
    return std::size_t(core::round_up(count, Storage::granule));
  };
  const Forms forms{
      {Out, In, contiguous ? 1 : Storage::stride(In), contiguous ? Storage::stride(Out) : 1,
       rounded(contiguous ? In * Storage::stride(Out) : Out * Storage::stride(In))},
      {1, Out, 0, 1, rounded(Storage::stride(Out))},
      {Samples, In, X::stride, 1, Storage::activation_size(In, Samples)},
      {Samples, Out, Y::stride, 1, Storage::activation_size(Out, Samples)},
      Storage::dense_scratch(Out, In)};
  return run_passes<B>(layer, forms, [](Machine& machine, const Places& at) {
    backend::dense_forward<Activation>(machine, weight_of<W>(at.w), at.bias, X{at.x}, Y{at.y});
    backend::dense_backward<Below>(machine, weight_of<W>(at.w), X{at.x}, Y{at.dy},
                                   weight_of<W>(at.dw), at.dbias, X{at.dx}, at.scratch);
  });
}

std::vector<float> random(int count, std::uint64_t salt) {
  std::vector<float> values(count);
  for (int i = 0; i < count; ++i)
    values[i] = 2 * core::uniform(core::philox(2, core::Stream::noise, salt, i).word[0]) - 1;
  return values;
}

/// max |a - b| / max |b|
double gap(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0, largest = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::isnan(a[i]) ? 1 : std::abs(double(a[i]) - b[i]));
    largest = std::max(largest, std::abs(double(b[i])));
  }
  return difference / largest;
}

void check_tensors(const Layer& here, const Layer& oracle) {
  // Sums of up to 128 products in another order and with FMA: single elements move by 1e-3 of
  // themselves, where they cancel, but never by 2e-6 of a tensor's largest.
  CHECK(gap(here.y, oracle.y) <= 2e-6);
  CHECK(gap(here.dw, oracle.dw) <= 2e-6);
  CHECK(gap(here.dbias, oracle.dbias) <= 2e-6);
  CHECK(gap(here.dx, oracle.dx) <= 2e-6);
}

template <class B, int In, int Out, int Samples, class Activation, class Below>
void check_beside_reference() {
  INFO("in ", In, ", out ", Out, ", samples ", Samples);
  Layer layer{random(Out * In, 1), random(Out, 2), random(In * Samples, 3),
              random(Out * Samples, 4)};
  for (float& value : layer.x) value = Below::value(value);  // what the layer below can give
  check_tensors(run<B, In, Out, Samples, Activation, Below>(layer),
                run<backend::Reference, In, Out, Samples, Activation, Below>(layer));
}

}  // namespace

// w = [1 2; 3 -4; 0 1], bias = [1 0 -2], x = [2 1; 0 3] by columns (2, 0), (1, 3).
//   w x + bias: (2+1, 6, -2), (1+6+1, 3-12, 3-2) = (3, 6, -2), (8, -9, 1); relu cuts -2 and -9.
//   dy = (1, -1, 2), (0, 3, 1): dw = dy xᵀ = [1*2+0*1, 1*0+0*3; -2+3, 0+9; 4+1, 0+3],
//   dbias = (1, 2, 3), wᵀ dy = (1-3, 2+4+2), (9, -12+1), of which relu's slope at x keeps x > 0.
TEST_CASE_TEMPLATE("worked by hand", B, POLYQ_BACKENDS) {
  const Layer layer = run<B, 2, 3, 2, math::Relu, math::Relu>(
      {{1, 2, 3, -4, 0, 1}, {1, 0, -2}, {2, 0, 1, 3}, {1, -1, 2, 0, 3, 1}});
  CHECK(layer.y == std::vector<float>{3, 6, 0, 8, 0, 1});
  CHECK(layer.dw == std::vector<float>{2, 0, 1, 9, 5, 3});
  CHECK(layer.dbias == std::vector<float>{1, 2, 3});
  CHECK(layer.dx == std::vector<float>{-2, 0, 9, -11});
}

TEST_CASE("Reference agrees with sums in double") {
  constexpr int in = 40, out = 33, samples = 5;
  const Layer given{random(out * in, 5), random(out, 6), random(in * samples, 7),
                    random(out * samples, 8)};
  const Layer layer = run<backend::Reference, in, out, samples, math::Tanh, math::Tanh>(given);
  const auto w = [&](int o, int i) { return double(given.w[o * in + i]); };
  const auto x = [&](int i, int s) { return double(given.x[s * in + i]); };
  const auto dy = [&](int o, int s) { return double(given.dy[s * out + o]); };
  // Each of n terms is rounded once as a product and at most n times in sums, by 2^-24 of what
  // the terms' sizes make together; tanh and its slope, both at most 1, round thrice more.
  double worst = 0;
  const auto compare = [&](float value, double exact, int terms, double sizes) {
    worst = std::max(worst, std::abs(value - exact) / ((terms + 3) * 0x1p-24 * sizes));
  };
  for (int s = 0; s < samples; ++s) {
    for (int o = 0; o < out; ++o) {
      double y = given.bias[o], sizes = std::abs(y);
      for (int i = 0; i < in; ++i) y += w(o, i) * x(i, s), sizes += std::abs(w(o, i) * x(i, s));
      compare(layer.y[s * out + o], std::tanh(y), in, sizes);
    }
    for (int i = 0; i < in; ++i) {
      double dx = 0, sizes = 0;
      for (int o = 0; o < out; ++o) dx += w(o, i) * dy(o, s), sizes += std::abs(w(o, i) * dy(o, s));
      compare(layer.dx[s * in + i], dx * (1 - x(i, s) * x(i, s)), out, sizes);
    }
  }
  for (int o = 0; o < out; ++o) {
    double dbias = 0, sizes = 0;
    for (int s = 0; s < samples; ++s) dbias += dy(o, s), sizes += std::abs(dy(o, s));
    compare(layer.dbias[o], dbias, samples, sizes);
    for (int i = 0; i < in; ++i) {
      double dw = 0;
      sizes = 0;
      for (int s = 0; s < samples; ++s)
        dw += dy(o, s) * x(i, s), sizes += std::abs(dy(o, s) * x(i, s));
      compare(layer.dw[o * in + i], dw, samples, sizes);
    }
  }
  CHECK(worst <= 1);
}

// Together each size comes once as inputs and once as outputs.
TEST_CASE_TEMPLATE("layers of few outputs beside Reference", B, POLYQ_BACKENDS) {
  using math::Identity, math::Relu, math::Tanh;
  check_beside_reference<B, 7, 1, 13, Tanh, Tanh>();
  check_beside_reference<B, 84, 2, 128, Identity, Relu>();
  check_beside_reference<B, 31, 4, 32, Identity, Relu>();
  check_beside_reference<B, 2, 7, 5, Relu, Identity>();
  check_beside_reference<B, 16, 15, 2, Relu, Relu>();
}

TEST_CASE_TEMPLATE("layers of many outputs beside Reference", B, POLYQ_BACKENDS) {
  using math::Identity, math::Relu, math::Tanh;
  check_beside_reference<B, 1, 16, 6, Tanh, Identity>();
  check_beside_reference<B, 40, 17, 31, Relu, Relu>();
  check_beside_reference<B, 17, 31, 7, Relu, Tanh>();
  check_beside_reference<B, 15, 33, 1, Identity, Relu>();
  check_beside_reference<B, 33, 40, 24, Relu, Relu>();
  check_beside_reference<B, 120, 84, 64, Relu, Relu>();
  check_beside_reference<B, 4, 120, 128, Relu, Identity>();
}
