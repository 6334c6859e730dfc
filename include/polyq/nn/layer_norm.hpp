// SPDX-License-Identifier: MIT
// LayerNorm (Ba et al. 2016), PyTorch's form: y = act(weight ∘ (x − mean) / √(variance + ε) + bias)
// over the features of each sample; weight starts as ones, bias as zeros.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "polyq/nn/concept.hpp"

namespace polyq::nn {

/// One column of y, its pads 0, and what is kept of x: its mean and 1 / √(variance + ε).
template <class Activation, class X, class Y>
struct NormalizeColumn {
  static constexpr int size = X::rows;
  const float *weight, *bias;
  X x;
  Y y;
  float *means, *scales;
  float epsilon;

  struct Value {
    const float* x;
    POLYQ_HD float operator()(int i) const { return x[i]; }
  };
  struct Square {
    const float* x;
    float mean;
    POLYQ_HD float operator()(int i) const { return (x[i] - mean) * (x[i] - mean); }
  };
  struct Element {
    const float *weight, *bias, *x;
    float* y;
    float mean, scale;
    POLYQ_HD void operator()(int i) const {
      y[i] = Activation::value(weight[i] * ((x[i] - mean) * scale) + bias[i]);
    }
  };
  struct Keep {
    float *means, *scales;
    float mean, scale;
    POLYQ_HD void operator()(int) const {
      *means = mean;
      *scales = scale;
    }
  };
  struct Pad {
    float* y;
    POLYQ_HD void operator()(int i) const { y[size + i] = 0; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t sample) const {
    const float* from = x.column(int(sample));
    float* to = y.column(int(sample));
    const float mean = team.sum(size, Value{from}) / size;
    const float variance = team.sum(size, Square{from, mean}) / size;
    const float scale = 1 / math::square_root(variance + epsilon);
    team.for_each(1, Keep{means + sample, scales + sample, mean, scale});
    team.for_each(size, Element{weight, bias, from, to, mean, scale});
    team.for_each(Y::stride - size, Pad{to});
  }
};

/// The gradients of weight and bias: Σ over samples of dy ∘ x̂ and of dy, x̂ = (x − mean) · scale; a
/// row at a time, over any lane of values.
template <class X, class DY>
struct NormalizeSlopes {
  X x;
  DY dy;
  const float *means, *scales;
  float *of_weight, *of_bias;
  template <class Lane>
  POLYQ_HD void operator()(Lane row) const {
    using V = typename Lane::Value;
    V weight(0.f), bias(0.f);
    for (int b = 0; b < X::columns; ++b) {
      const V slope = row.load(dy.column(b));
      weight = weight + slope * ((row.load(x.column(b)) - V(means[b])) * V(scales[b]));
      bias = bias + slope;
    }
    row.store(of_weight, weight);
    row.store(of_bias, bias);
  }
};

/// One column of dx = scale · (g − mean of g − x̂ · mean of g ∘ x̂), g = weight ∘ dy, times the slope
/// of Below; its pads are 0.
template <class Below, class X, class DY, class DX>
struct NormalizePull {
  static constexpr int size = X::rows;
  const float* weight;
  X x;
  DY dy;
  DX dx;
  const float *means, *scales;

  struct Slope {
    const float *weight, *dy;
    POLYQ_HD float operator()(int i) const { return weight[i] * dy[i]; }
  };
  struct Along {
    const float *weight, *dy, *x;
    float mean, scale;
    POLYQ_HD float operator()(int i) const { return weight[i] * dy[i] * ((x[i] - mean) * scale); }
  };
  struct Element {
    const float *weight, *dy, *x;
    float* dx;
    float mean, scale, slope, along;
    POLYQ_HD void operator()(int i) const {
      const float normal = (x[i] - mean) * scale;
      dx[i] = Below::pull(x[i], scale * (weight[i] * dy[i] - slope - normal * along));
    }
  };
  struct Pad {
    float* dx;
    POLYQ_HD void operator()(int i) const { dx[size + i] = 0; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t sample) const {
    const float *from = x.column(int(sample)), *above = dy.column(int(sample));
    float* to = dx.column(int(sample));
    const float mean = means[sample], scale = scales[sample];
    const float slope = team.sum(size, Slope{weight, above}) / size;
    const float along = team.sum(size, Along{weight, above, from, mean, scale}) / size;
    team.for_each(size, Element{weight, above, from, to, mean, scale, slope, along});
    team.for_each(DX::stride - size, Pad{to});
  }
};

template <int N, class Activation = math::Identity>
struct LayerNorm {
  static_assert(N > 1,
                "polyq::nn::LayerNorm: fewer than 2 features; one less its mean is always 0");
  static constexpr int in = N, out = N, layer_count = 1;
  static constexpr std::size_t parameter_count = 2 * std::size_t(N);
  static constexpr bool trained = true;
  static constexpr float epsilon = 1e-5f;
  using Output = Activation;

  template <class Storage>
  static constexpr std::size_t parameters() {
    return 2 * bias_offset<Storage>();
  }
  template <class Storage>
  static constexpr std::array<core::Block, 2> blocks() {
    return {{{0, "weight", N, 1, 1, 0, 0, trained},
             {0, "bias", N, 1, 1, 0, bias_offset<Storage>(), trained}}};
  }
  /// Means and scales of the samples.
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return 2 * scales_offset<Storage, B>();
  }
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return 0;
  }

  void initialise(std::uint64_t /*seed*/, std::uint32_t /*first*/, float* packed) const {
    for (int i = 0; i < N; ++i) {
      packed[i] = 1;
      packed[N + i] = 0;
    }
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* tape,
                      const Pass& /*pass*/) {
    using Storage = typename Machine::Storage;
    machine.for_each_team(X::columns,
                          NormalizeColumn<Activation, X, Y>{
                              parameters, parameters + bias_offset<Storage>(), x, y, tape,
                              tape + scales_offset<Storage, X::columns>(), epsilon});
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* parameters, X x, const float* tape, DY dy,
                       float* gradient, DX dx, float* /*scratch*/, const Pass& /*pass*/) {
    using Storage = typename Machine::Storage;
    const float* scales = tape + scales_offset<Storage, X::columns>();
    machine.for_each_element(N, NormalizeSlopes<X, DY>{x, dy, tape, scales, gradient,
                                                       gradient + bias_offset<Storage>()});
    if constexpr (!std::is_same_v<DX, core::Absent>)
      machine.for_each_team(X::columns,
                            NormalizePull<Below, X, DY, DX>{parameters, x, dy, dx, tape, scales});
  }

 private:
  template <class Storage>
  static constexpr std::size_t bias_offset() {
    return core::round_up(Storage::stride(N), Storage::granule);
  }
  template <class Storage, int B>
  static constexpr std::size_t scales_offset() {
    return core::round_up(B, Storage::granule);
  }
};

}  // namespace polyq::nn
