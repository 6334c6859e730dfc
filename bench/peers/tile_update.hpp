// SPDX-License-Identifier: MIT
// One DQN update near the FMA limit: register tiles on Eigen's packets, no packing, static sizes.
//
// Why nothing needs packing: an activation is [sample][feature] with features contiguous, a weight
// is [in][out] with outs contiguous. Then all three products of a dense layer have the form
//   C[n][m] = start(m) + sum over k of A[k][m] * b(n, k)
// where m is contiguous in A and C, and b(n, k) is one number for a whole packet:
//   forward           y[b][o] = sum_i W[i][o]  x[b][i]       A = W
//   weight gradient   g[i][o] = sum_b dy[b][o] x[b][i]       A = dy
//   input gradient    dx[b][i] = sum_o T[o][i] dy[b][o]      A = T, W transposed
// Features are padded to whole packets; pads hold zeros, which ReLU, gradients and Adam preserve.
#pragma once
#include <algorithm>
#include <cstring>

#include "adam.hpp"
#include "packet.hpp"
#include "reference.hpp"

namespace peers {
namespace tile {

/// Sizes and strides of one product: C is [Rows][Columns], A is [Terms][Columns],
/// b(n, k) = b[n * RowStride + k * TermStride].
template <int Columns, int Rows, int Terms, int RowStride, int TermStride>
struct Product {
  static constexpr int columns = Columns;
  static constexpr int rows = Rows;
  static constexpr int terms = Terms;
  static constexpr int row_stride = RowStride;
  static constexpr int term_stride = TermStride;
};

// What an accumulator starts from, and what is done with it; `column` and `offset` count floats.

struct FromZero {
  Packet operator()(int /*column*/) const { return Packet::all(0.f); }
};

struct FromBias {
  const float* bias;
  Packet operator()(int column) const { return Packet::load(bias + column); }
};

struct Store {
  void operator()(float* c, int offset, Packet sum) const { sum.store(c + offset); }
};

struct StoreRelu {
  void operator()(float* c, int offset, Packet sum) const { relu(sum).store(c + offset); }
};

/// Stores the sum where the layer below was active.
struct StoreWherePositive {
  const float* activation;  // laid out as C
  void operator()(float* c, int offset, Packet sum) const {
    where_positive(Packet::load(activation + offset), sum).store(c + offset);
  }
};

// A tile of Width packets by Height samples keeps Width * Height sums, Width packets of A and one
// broadcast in registers: at most 4 * 6 + 4 + 1 = 29 of 32, or 2 * 6 + 2 + 1 = 15 of 16.
inline constexpr bool many_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
inline constexpr int widest = many_registers ? 4 : 2;
constexpr int height_of(int width) { return std::min(12, (many_registers ? 24 : 12) / width); }

template <class P, int Width, int Height, class Start, class End>
[[gnu::always_inline]] inline void compute_tile(const float* a, const float* b, float* c,
                                                int first_row, int first_column, Start start,
                                                End end) {
  a += first_column;
  b += first_row * P::row_stride;
  Packet sums[Height][Width];
#pragma GCC unroll 16
  for (int n = 0; n < Height; ++n) {
#pragma GCC unroll 4
    for (int m = 0; m < Width; ++m) sums[n][m] = start(first_column + m * lanes);
  }
  for (int k = 0; k < P::terms; ++k) {
    Packet from_a[Width];
#pragma GCC unroll 4
    for (int m = 0; m < Width; ++m) from_a[m] = Packet::load(a + k * P::columns + m * lanes);
#pragma GCC unroll 16
    for (int n = 0; n < Height; ++n) {
      const Packet factor = Packet::all(b[n * P::row_stride + k * P::term_stride]);
#pragma GCC unroll 4
      for (int m = 0; m < Width; ++m) sums[n][m] = multiply_add(from_a[m], factor, sums[n][m]);
    }
  }
  const int first = first_row * P::columns + first_column;
#pragma GCC unroll 16
  for (int n = 0; n < Height; ++n) {
#pragma GCC unroll 4
    for (int m = 0; m < Width; ++m) end(c, first + n * P::columns + m * lanes, sums[n][m]);
  }
}

/// All rows of `Strips` strips of columns, each `Width` packets wide, from `first_column`.
template <class P, int Width, int Strips, class Start, class End>
[[gnu::always_inline]] inline void compute_strips(const float* a, const float* b, float* c,
                                                  int first_column, Start start, End end) {
  constexpr int height = height_of(Width);
  constexpr int remaining = P::rows % height;
  for (int strip = 0; strip < Strips; ++strip) {
    const int column = first_column + strip * Width * lanes;
    for (int row = 0; row + height <= P::rows; row += height) {
      compute_tile<P, Width, height>(a, b, c, row, column, start, end);
    }
    if constexpr (remaining > 0) {
      compute_tile<P, Width, remaining>(a, b, c, P::rows - remaining, column, start, end);
    }
  }
}

/// Not inlined: in a large caller the compilers spill accumulators.
template <class P, class Start, class End>
[[gnu::noinline]] void compute(const float* a, const float* b, float* c, Start start, End end) {
  static_assert(P::columns % lanes == 0);
  // As few strips as possible, then as even as possible: six packets are 3 + 3 and not 4 + 2.
  constexpr int packets = P::columns / lanes;
  constexpr int strips = (packets + widest - 1) / widest;
  constexpr int narrow = packets / strips;
  constexpr int wide_strips = packets % strips;
  if constexpr (wide_strips > 0) {
    compute_strips<P, narrow + 1, wide_strips>(a, b, c, 0, start, end);
  }
  compute_strips<P, narrow, strips - wide_strips>(a, b, c, wide_strips * (narrow + 1) * lanes,
                                                  start, end);
}

/// out[m] = sum over n of x[n][m]
template <int Rows, int Columns>
void sum_rows(const float* x, float* out) {
  for (int m = 0; m < Columns; m += lanes) {
    Packet total = Packet::load(x + m);
    for (int n = 1; n < Rows; ++n) total = total + Packet::load(x + n * Columns + m);
    total.store(out + m);
  }
}

/// to[m][n] = from[n][m]
template <int Rows, int Columns>
void transpose(const float* from, float* to) {
  for (int n = 0; n < Rows; n += lanes) {
    for (int m = 0; m < Columns; m += lanes) {
      Packet::transpose(from + n * Columns + m, Columns, to + m * Rows + n, Rows);
    }
  }
}

}  // namespace tile

/// A network Inputs-Hidden1-Hidden2-Outputs with ReLUs, the mean of squared TD errors of a batch,
/// and Adam. Double Q-learning lets the online network choose the next action. Large: keep it on
/// the heap.
template <int Inputs, int Hidden1, int Hidden2, int Outputs, int Batch, bool Double>
class TileUpdate {
  static constexpr int width1 = padded(Hidden1);
  static constexpr int width2 = padded(Hidden2);
  static constexpr int at_weight1 = 0;                            // [In][width1]
  static constexpr int at_bias1 = at_weight1 + Inputs * width1;   // [width1]
  static constexpr int at_weight2 = at_bias1 + width1;            // [width1][width2]
  static constexpr int at_bias2 = at_weight2 + width1 * width2;   // [width2]
  static constexpr int at_weight3 = at_bias2 + width2;            // [Out][width2]
  static constexpr int at_bias3 = at_weight3 + Outputs * width2;  // [Out]

 public:
  static constexpr int In = Inputs;
  static constexpr int H1 = Hidden1;
  static constexpr int H2 = Hidden2;
  static constexpr int Out = Outputs;
  static constexpr int B = Batch;
  static constexpr bool is_double = Double;
  static constexpr int parameter_count = at_bias3 + padded(Out);

  static constexpr int weight1(int in, int out) { return at_weight1 + in * width1 + out; }
  static constexpr int bias1(int out) { return at_bias1 + out; }
  static constexpr int weight2(int in, int out) { return at_weight2 + in * width2 + out; }
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

  TileUpdate() {
    initialize_weights(*this);
    fill_batch(*this);
  }

  void update(float discount, float rate) {
    if constexpr (Double) forward(parameters, next_observations, slope1_, slope2_, chooser_);
    forward(target_parameters, next_observations, slope1_, slope2_, next_values_);
    forward(parameters, observations, hidden1_, hidden2_, values_);
    differentiate_output(discount);
    differentiate_hidden();
    adam_.step(parameters, gradient, rate);
  }

  void copy_target() { std::memcpy(target_parameters, parameters, sizeof parameters); }

 private:
  static void forward(const float* p, const float* x, float* hidden1, float* hidden2,
                      float* values) {
    using Layer1 = tile::Product<width1, B, In, In, 1>;
    using Layer2 = tile::Product<width2, B, width1, width1, 1>;
    tile::compute<Layer1>(p + at_weight1, x, hidden1, tile::FromBias{p + at_bias1},
                          tile::StoreRelu{});
    tile::compute<Layer2>(p + at_weight2, hidden1, hidden2, tile::FromBias{p + at_bias2},
                          tile::StoreRelu{});
    for (int b = 0; b < B; ++b) {
      for (int k = 0; k < Out; ++k) {
        Packet products = Packet::all(0.f);
        for (int i = 0; i < width2; i += lanes) {
          products = multiply_add(Packet::load(hidden2 + b * width2 + i),
                                  Packet::load(p + at_weight3 + k * width2 + i), products);
        }
        values[b * Out + k] = sum(products) + p[at_bias3 + k];
      }
    }
  }

  /// Gradient of the last layer, and slope2 [B][width2]: only the taken action carries any.
  void differentiate_output(float discount) {
    std::fill(gradient + at_weight3, gradient + parameter_count, 0.f);
    const float* choosing = Double ? chooser_ : next_values_;
    for (int b = 0; b < B; ++b) {
      int best = 0;
      for (int k = 1; k < Out; ++k) {
        if (choosing[b * Out + k] > choosing[b * Out + best]) best = k;
      }
      const int action = actions[b];
      const float next_value = next_values_[b * Out + best];
      const float target = rewards[b] + discount * continues[b] * next_value;
      const float slope = 2.f / B * (values_[b * Out + action] - target);
      const Packet slopes = Packet::all(slope);
      float* weight_gradient = gradient + at_weight3 + action * width2;
      const float* weight = parameters + at_weight3 + action * width2;
      for (int i = 0; i < width2; i += lanes) {
        const Packet hidden = Packet::load(hidden2_ + b * width2 + i);
        multiply_add(slopes, hidden, Packet::load(weight_gradient + i)).store(weight_gradient + i);
        where_positive(hidden, slopes * Packet::load(weight + i)).store(slope2_ + b * width2 + i);
      }
      gradient[at_bias3 + action] += slope;
    }
  }

  void differentiate_hidden() {
    using Weight2 = tile::Product<width2, width1, B, 1, width1>;
    using Hidden1Slope = tile::Product<width1, B, width2, width2, 1>;
    using Weight1 = tile::Product<width1, In, B, 1, In>;
    tile::compute<Weight2>(slope2_, hidden1_, gradient + at_weight2, tile::FromZero{},
                           tile::Store{});
    tile::sum_rows<B, width2>(slope2_, gradient + at_bias2);
    tile::transpose<width1, width2>(parameters + at_weight2, transposed2_);
    tile::compute<Hidden1Slope>(transposed2_, slope2_, slope1_, tile::FromZero{},
                                tile::StoreWherePositive{hidden1_});
    tile::compute<Weight1>(slope1_, observations, gradient + at_weight1, tile::FromZero{},
                           tile::Store{});
    tile::sum_rows<B, width1>(slope1_, gradient + at_bias1);
  }

  Adam<parameter_count> adam_;
  alignas(64) float transposed2_[width1 * width2];
  alignas(64) float hidden1_[B * width1];
  alignas(64) float hidden2_[B * width2];
  alignas(64) float slope1_[B * width1];  // of the loss by the layer before its ReLU;
  alignas(64) float slope2_[B * width2];  // the networks at s' borrow both as their hidden layers
  alignas(64) float values_[B * Out];
  alignas(64) float next_values_[B * Out];
  alignas(64) float chooser_[B * Out];
};

}  // namespace peers
