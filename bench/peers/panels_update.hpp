// SPDX-License-Identifier: MIT
// One DQN update on panels of 32 samples; AVX-512 only: without it this header defines nothing.
//
// Activations are [panel][feature][32]. A row of a panel is two packets: the left operand of every
// product is read in order and stays in the first cache, and one tile of 2 packets by 8 features
// serves all products. Only the first hidden layer is transposed; the gradients of the first and
// the last layer are dots of rows. Weights are [out][in].
#pragma once
#ifdef __AVX512F__
#include <cstring>
#include <type_traits>

#include "adam.hpp"
#include "packet.hpp"
#include "reference.hpp"

namespace peers {
namespace panels {

inline constexpr int samples = 2 * lanes;  // of one panel

/// sums[n] += sum over k of a[k][32] * b(k, n)
template <int Features, int Terms, int TermStride, int FeatureStride>
[[gnu::always_inline]] inline void accumulate(const float* a, const float* b,
                                              Packet (&sums)[Features][2]) {
#pragma GCC unroll 2
  for (int k = 0; k < Terms; ++k) {
    const Packet low = Packet::load(a + k * samples);
    const Packet high = Packet::load(a + k * samples + lanes);
#pragma GCC unroll 8
    for (int n = 0; n < Features; ++n) {
      const Packet factor = Packet::all(b[k * TermStride + n * FeatureStride]);
      sums[n][0] = multiply_add(low, factor, sums[n][0]);
      sums[n][1] = multiply_add(high, factor, sums[n][1]);
    }
  }
}

template <int Features>
[[gnu::always_inline]] inline void set_zero(Packet (&sums)[Features][2]) {
#pragma GCC unroll 8
  for (int n = 0; n < Features; ++n) sums[n][0] = sums[n][1] = Packet::all(0.f);
}

/// Calls `visit(size, first)` for tiles of 8 features, then 4, 2 and 1; the size is in its type.
/// Visitors are always inlined: as functions of their own, g++ 12 makes the update 2 % slower.
template <int Features, int First = 0, class Visit>
[[gnu::always_inline]] inline void for_each_tile(Visit visit) {
  constexpr int left = Features - First;
  constexpr int size = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
  constexpr int end = First + left / size * size;
  for (int n = First; n < end; n += size) visit(std::integral_constant<int, size>{}, n);
  if constexpr (end < Features) for_each_tile<Features, end>(visit);
}

/// c[n][32] = end(sum over k of a[k][32] * b(k, n), n, half), all of one panel.
template <int Features, int Terms, int TermStride, int FeatureStride, class End>
void compute(const float* a, const float* b, float* c, End end) {
  for_each_tile<Features>([&](auto size, int first) __attribute__((always_inline)) {
    Packet sums[size][2];
    set_zero(sums);
    accumulate<size, Terms, TermStride, FeatureStride>(a, b + first * FeatureStride, sums);
    for (int n = 0; n < size; ++n) {
      float* row = c + (first + n) * samples;
      end(sums[n][0], first + n, 0).store(row);
      end(sums[n][1], first + n, lanes).store(row + lanes);
    }
  });
}

}  // namespace panels

/// The network, the loss and the optimizer of TileUpdate. Large: keep it on the heap.
template <int Inputs, int Hidden1, int Hidden2, int Outputs, int Batch, bool Double>
class PanelsUpdate {
  static constexpr int samples = panels::samples;
  static constexpr int panel_count = Batch / samples;
  static_assert(Batch % samples == 0, "PanelsUpdate takes whole panels of 32 samples");

  static constexpr int whole_panels(int count) { return (count + samples - 1) / samples * samples; }
  static constexpr int width1 = whole_panels(Hidden1);
  static constexpr int width2 = whole_panels(Hidden2);
  static constexpr int at_weight1 = 0;                                    // [H1][In]
  static constexpr int at_bias1 = at_weight1 + padded(Hidden1 * Inputs);  // [H1]
  static constexpr int at_weight2 = at_bias1 + width1;                    // [H2][width1]
  static constexpr int at_bias2 = at_weight2 + Hidden2 * width1;          // [H2]
  static constexpr int at_weight3 = at_bias2 + width2;                    // [Out][width2]
  static constexpr int at_bias3 = at_weight3 + Outputs * width2;          // [Out]

 public:
  static constexpr int In = Inputs;
  static constexpr int H1 = Hidden1;
  static constexpr int H2 = Hidden2;
  static constexpr int Out = Outputs;
  static constexpr int B = Batch;
  static constexpr bool is_double = Double;
  static constexpr int parameter_count = at_bias3 + padded(Out);

  static constexpr int weight1(int in, int out) { return at_weight1 + out * In + in; }
  static constexpr int bias1(int out) { return at_bias1 + out; }
  static constexpr int weight2(int in, int out) { return at_weight2 + out * width1 + in; }
  static constexpr int bias2(int out) { return at_bias2 + out; }
  static constexpr int weight3(int in, int out) { return at_weight3 + out * width2 + in; }
  static constexpr int bias3(int out) { return at_bias3 + out; }

  alignas(64) float parameters[parameter_count]{};
  alignas(64) float target_parameters[parameter_count]{};
  alignas(64) float gradient[parameter_count]{};

  alignas(64) float observations[B * In]{};
  alignas(64) float next_observations[B * In]{};
  alignas(64) int actions[B]{};
  alignas(64) float rewards[B]{};
  alignas(64) float continues[B]{};  // 0 where the episode ended, else 1

  PanelsUpdate() {
    initialize_weights(*this);
    fill_batch(*this);
  }

  void update(float discount, float rate) {
    arrange(observations, input_);
    arrange(next_observations, next_input_);
    if constexpr (Double) forward(parameters, next_input_, borrowed1_, borrowed2_, chooser_);
    forward(target_parameters, next_input_, borrowed1_, borrowed2_, next_values_);
    forward(parameters, input_, hidden1_, hidden2_, values_);
    differentiate_loss(discount);
    differentiate_layers();
    adam_.step(parameters, gradient, rate);
  }

  void copy_target() { std::memcpy(target_parameters, parameters, sizeof parameters); }

 private:
  /// Samples to panels.
  static void arrange(const float* batch, float* input) {
    for (int panel = 0; panel < panel_count; ++panel) {
      for (int in = 0; in < In; ++in) {
        for (int sample = 0; sample < samples; ++sample) {
          input[(panel * In + in) * samples + sample] = batch[(panel * samples + sample) * In + in];
        }
      }
    }
  }

  static void forward(const float* p, const float* input, float* hidden1, float* hidden2,
                      float* values) {
    const auto biased_relu = [](const float* bias) {
      return [bias](Packet sum, int n, int) { return relu(sum + Packet::all(bias[n])); };
    };
    const auto biased = [p](Packet sum, int n, int) { return sum + Packet::all(p[at_bias3 + n]); };
    for (int panel = 0; panel < panel_count; ++panel) {
      const float* x = input + panel * In * samples;
      float* layer1 = hidden1 + panel * width1 * samples;
      float* layer2 = hidden2 + panel * width2 * samples;
      float* output = values + panel * Out * samples;
      panels::compute<H1, In, 1, In>(x, p + at_weight1, layer1, biased_relu(p + at_bias1));
      panels::compute<H2, H1, 1, width1>(layer1, p + at_weight2, layer2, biased_relu(p + at_bias2));
      panels::compute<Out, H2, 1, width2>(layer2, p + at_weight3, output, biased);
    }
  }

  /// Where output k of sample b lies.
  static constexpr int at(int k, int b) { return (b / samples * Out + k) * samples + b % samples; }

  void differentiate_loss(float discount) {
    std::memset(value_slopes_, 0, sizeof value_slopes_);
    const float* choosing = Double ? chooser_ : next_values_;
    for (int b = 0; b < B; ++b) {
      int best = 0;
      for (int k = 1; k < Out; ++k) {
        if (choosing[at(k, b)] > choosing[at(best, b)]) best = k;
      }
      const float target = rewards[b] + discount * continues[b] * next_values_[at(best, b)];
      const int taken = at(actions[b], b);
      value_slopes_[taken] = 2.f / B * (values_[taken] - target);
    }
  }

  void differentiate_layers() {
    const auto where_active = [](const float* layer) {
      return [layer](Packet sum, int n, int half) {
        return where_positive(Packet::load(layer + n * samples + half), sum);
      };
    };
    for (int panel = 0; panel < panel_count; ++panel) {
      const float* layer1 = hidden1_ + panel * width1 * samples;
      const float* layer2 = hidden2_ + panel * width2 * samples;
      float* slope1 = slope1_ + panel * width1 * samples;
      float* slope2 = slope2_ + panel * width2 * samples;
      panels::compute<H2, Out, width2, 1>(value_slopes_ + panel * Out * samples,
                                          parameters + at_weight3, slope2, where_active(layer2));
      panels::compute<H1, H2, width1, 1>(slope2, parameters + at_weight2, slope1,
                                         where_active(layer1));
      transpose_hidden1(panel);
    }
    differentiate_weight2();
    differentiate_weight3();
    sum_samples<Out, Out>(value_slopes_, gradient + at_bias3);
    sum_samples<H2, width2>(slope2_, gradient + at_bias2);
    differentiate_weight1_and_bias1();
  }

  /// transposed1 [width1 / 32][B][32]: panels of features, for the gradient of weight2.
  void transpose_hidden1(int panel) {
    const float* layer1 = hidden1_ + panel * width1 * samples;
    for (int feature = 0; feature < width1; feature += lanes) {
      for (int sample = 0; sample < samples; sample += lanes) {
        float* to = transposed1_ + feature / samples * B * samples +
                    (panel * samples + sample) * samples + feature % samples;
        Packet::transpose(layer1 + feature * samples + sample, samples, to, samples);
      }
    }
  }

  void differentiate_weight2() {
    for (int in = 0; in < width1; in += samples) {
      panels::for_each_tile<H2>([&](auto size, int first) __attribute__((always_inline)) {
        Packet sums[size][2];
        panels::set_zero(sums);
        for (int panel = 0; panel < panel_count; ++panel) {
          panels::accumulate<size, samples, 1, samples>(
              transposed1_ + in * B + panel * samples * samples,
              slope2_ + (panel * width2 + first) * samples, sums);
        }
        for (int n = 0; n < size; ++n) {
          float* row = gradient + at_weight2 + (first + n) * width1 + in;
          sums[n][0].store(row);
          sums[n][1].store(row + lanes);
        }
      });
    }
  }

  void differentiate_weight3() {
    for (int h = 0; h < H2; ++h) {
      Packet products[Out];
      for (int k = 0; k < Out; ++k) products[k] = Packet::all(0.f);
      for (int panel = 0; panel < panel_count; ++panel) {
        const float* hidden = hidden2_ + (panel * width2 + h) * samples;
        const float* slopes = value_slopes_ + panel * Out * samples;
        add_products(hidden, slopes, products);
        add_products(hidden + lanes, slopes + lanes, products);
      }
      for (int k = 0; k < Out; ++k) gradient[weight3(h, k)] = sum(products[k]);
    }
  }

  void differentiate_weight1_and_bias1() {
    for (int h = 0; h < H1; ++h) {
      Packet total = Packet::all(0.f);
      Packet products[In];
      for (int in = 0; in < In; ++in) products[in] = Packet::all(0.f);
      for (int panel = 0; panel < panel_count; ++panel) {
        const float* slope = slope1_ + (panel * width1 + h) * samples;
        const float* inputs = input_ + panel * In * samples;
        total = total + Packet::load(slope) + Packet::load(slope + lanes);
        add_products(slope, inputs, products);
        add_products(slope + lanes, inputs + lanes, products);
      }
      gradient[bias1(h)] = sum(total);
      for (int in = 0; in < In; ++in) gradient[weight1(in, h)] = sum(products[in]);
    }
  }

  /// products[j] += x * rows[j], half a panel of samples
  template <int Count>
  [[gnu::always_inline]] static void add_products(const float* x, const float* rows,
                                                  Packet (&products)[Count]) {
    const Packet left = Packet::load(x);
    for (int j = 0; j < Count; ++j) {
      products[j] = multiply_add(left, Packet::load(rows + j * samples), products[j]);
    }
  }

  /// out[h] = sum over samples of x[h]
  template <int Rows, int Width>
  static void sum_samples(const float* x, float* out) {
    for (int h = 0; h < Rows; ++h) {
      Packet total = Packet::all(0.f);
      for (int panel = 0; panel < panel_count; ++panel) {
        const float* row = x + (panel * Width + h) * samples;
        total = total + Packet::load(row) + Packet::load(row + lanes);
      }
      out[h] = sum(total);
    }
  }

  Adam<parameter_count> adam_;
  alignas(64) float input_[B * In];
  alignas(64) float next_input_[B * In];
  alignas(64) float hidden1_[B * width1]{};  // the pads stay 0
  alignas(64) float hidden2_[B * width2]{};
  alignas(64) float slope1_[B * width1]{};  // of the loss by the layer before its ReLU
  alignas(64) float slope2_[B * width2]{};
  alignas(64) float borrowed1_[B * width1];  // hidden layers of the networks at s'
  alignas(64) float borrowed2_[B * width2];
  alignas(64) float transposed1_[B * width1];
  alignas(64) float values_[B * Out];
  alignas(64) float next_values_[B * Out];
  alignas(64) float chooser_[B * Out];
  alignas(64) float value_slopes_[B * Out];
};

}  // namespace peers
#endif  // __AVX512F__
