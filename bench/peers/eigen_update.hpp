// SPDX-License-Identifier: MIT
// One DQN update as one writes it by hand with fixed-size Eigen products; TileUpdate's work.
//
// Columns are samples: a batch is [feature][sample] to Eigen, and [sample][feature] in memory.
// Eigen's general product packs both operands on each call, which TileUpdate saves.
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstring>

#include "reference.hpp"

namespace peers {

/// The network, the loss and the optimizer of TileUpdate. Large: keep it on the heap.
template <int Inputs, int Hidden1, int Hidden2, int Outputs, int Batch, bool Double>
class EigenUpdate {
  /// Each block of parameters starts on a cache line, as the aligned maps below promise to Eigen.
  static constexpr int whole_lines(int count) { return (count + 15) / 16 * 16; }

  static constexpr int at_weight1 = 0;                                          // [In][H1]
  static constexpr int at_bias1 = at_weight1 + whole_lines(Inputs * Hidden1);   // [H1]
  static constexpr int at_weight2 = at_bias1 + whole_lines(Hidden1);            // [H1][H2]
  static constexpr int at_bias2 = at_weight2 + whole_lines(Hidden1 * Hidden2);  // [H2]
  static constexpr int at_weight3 = at_bias2 + whole_lines(Hidden2);            // [Out][H2]
  static constexpr int at_bias3 = at_weight3 + whole_lines(Hidden2 * Outputs);  // [Out]

 public:
  static constexpr int In = Inputs;
  static constexpr int H1 = Hidden1;
  static constexpr int H2 = Hidden2;
  static constexpr int Out = Outputs;
  static constexpr int B = Batch;
  static constexpr bool is_double = Double;
  static constexpr int parameter_count = at_bias3 + whole_lines(Out);

  static constexpr int weight1(int in, int out) { return at_weight1 + in * H1 + out; }
  static constexpr int bias1(int out) { return at_bias1 + out; }
  static constexpr int weight2(int in, int out) { return at_weight2 + in * H2 + out; }
  static constexpr int bias2(int out) { return at_bias2 + out; }
  static constexpr int weight3(int in, int out) { return at_weight3 + out * H2 + in; }
  static constexpr int bias3(int out) { return at_bias3 + out; }

  alignas(64) float parameters[parameter_count]{};
  alignas(64) float target_parameters[parameter_count]{};
  alignas(64) float gradient[parameter_count]{};

  alignas(64) float observations[B * In]{};
  alignas(64) float next_observations[B * In]{};
  alignas(64) int actions[B]{};
  alignas(64) float rewards[B]{};
  alignas(64) float continues[B]{};  // 0 where the episode ended, else 1

  EigenUpdate() {
    initialize_weights(*this);
    fill_batch(*this);
  }

  void update(float discount, float rate) {
    if constexpr (Double) forward(parameters, next_observations, slope1_, slope2_, chooser_);
    forward(target_parameters, next_observations, slope1_, slope2_, next_values_);
    forward(parameters, observations, hidden1_, hidden2_, values_);
    differentiate_loss(discount);
    differentiate_layers();
    adam(rate);
  }

  void copy_target() { std::memcpy(target_parameters, parameters, sizeof parameters); }

 private:
  template <int Rows, int Columns>
  using ColumnMajor = Eigen::Map<Eigen::Matrix<float, Rows, Columns>, Eigen::Aligned64>;
  template <int Rows, int Columns>
  using ConstColumnMajor = Eigen::Map<const Eigen::Matrix<float, Rows, Columns>, Eigen::Aligned64>;
  template <int Rows, int Columns>
  using RowMajor =
      Eigen::Map<Eigen::Matrix<float, Rows, Columns, Eigen::RowMajor>, Eigen::Aligned64>;
  template <int Rows, int Columns>
  using ConstRowMajor =
      Eigen::Map<const Eigen::Matrix<float, Rows, Columns, Eigen::RowMajor>, Eigen::Aligned64>;

  /// The general product packs its operands, which costs more than it gains with few terms.
  static constexpr bool few_inputs = In <= 8;

  static void forward(const float* p, const float* x, float* hidden1, float* hidden2,
                      float* values) {
    const ConstColumnMajor<H1, In> weight1(p + at_weight1);
    const ConstColumnMajor<H1, 1> bias1(p + at_bias1);
    const ConstColumnMajor<H2, H1> weight2(p + at_weight2);
    const ConstColumnMajor<H2, 1> bias2(p + at_bias2);
    const ConstRowMajor<Out, H2> weight3(p + at_weight3);
    const ConstColumnMajor<In, B> input(x);
    ColumnMajor<H1, B> layer1(hidden1);
    ColumnMajor<H2, B> layer2(hidden2);
    ColumnMajor<Out, B> output(values);
    if constexpr (few_inputs) {
      layer1.noalias() = weight1.lazyProduct(input);
    } else {
      layer1.noalias() = weight1 * input;
    }
    layer1 = (layer1.colwise() + bias1).cwiseMax(0.f);
    layer2.noalias() = weight2 * layer1;
    layer2 = (layer2.colwise() + bias2).cwiseMax(0.f);
    for (int b = 0; b < B; ++b) {
      for (int k = 0; k < Out; ++k) {
        output(k, b) = weight3.row(k).dot(layer2.col(b)) + p[at_bias3 + k];
      }
    }
  }

  /// value_slopes [Out][B]: only the taken action carries any.
  void differentiate_loss(float discount) {
    const ConstColumnMajor<Out, B> values(values_);
    const ConstColumnMajor<Out, B> next_values(next_values_);
    const ConstColumnMajor<Out, B> choosing(Double ? chooser_ : next_values_);
    ColumnMajor<Out, B> value_slopes(value_slopes_);
    value_slopes.setZero();
    for (int b = 0; b < B; ++b) {
      int best = 0;
      for (int k = 1; k < Out; ++k) {
        if (choosing(k, b) > choosing(best, b)) best = k;
      }
      const float target = rewards[b] + discount * continues[b] * next_values(best, b);
      value_slopes(actions[b], b) = 2.f / B * (values(actions[b], b) - target);
    }
  }

  void differentiate_layers() {
    const ConstColumnMajor<H2, H1> weight2(parameters + at_weight2);
    const ConstRowMajor<Out, H2> weight3(parameters + at_weight3);
    const ConstColumnMajor<In, B> input(observations);
    const ConstColumnMajor<H1, B> layer1(hidden1_);
    const ConstColumnMajor<H2, B> layer2(hidden2_);
    const ConstColumnMajor<Out, B> value_slopes(value_slopes_);
    ColumnMajor<H1, B> slope1(slope1_);
    ColumnMajor<H2, B> slope2(slope2_);
    ColumnMajor<H1, In> weight1_gradient(gradient + at_weight1);
    ColumnMajor<H1, 1> bias1_gradient(gradient + at_bias1);
    ColumnMajor<H2, H1> weight2_gradient(gradient + at_weight2);
    ColumnMajor<H2, 1> bias2_gradient(gradient + at_bias2);
    RowMajor<Out, H2> weight3_gradient(gradient + at_weight3);

    for (int k = 0; k < Out; ++k) {
      weight3_gradient.row(k).noalias() = (layer2 * value_slopes.row(k).transpose()).transpose();
      gradient[at_bias3 + k] = value_slopes.row(k).sum();
    }
    for (int b = 0; b < B; ++b) {
      const int action = actions[b];
      slope2.col(b) = (layer2.col(b).array() > 0.f)
                          .select(weight3.row(action).transpose() * value_slopes(action, b), 0.f);
    }
    weight2_gradient.noalias() = slope2 * layer1.transpose();
    bias2_gradient = slope2.rowwise().sum();
    slope1.noalias() = weight2.transpose() * slope2;
    slope1 = (layer1.array() > 0.f).select(slope1, 0.f);
    if constexpr (few_inputs) {
      weight1_gradient.noalias() = slope1.lazyProduct(input.transpose());
    } else {
      weight1_gradient.noalias() = slope1 * input.transpose();
    }
    bias1_gradient = slope1.rowwise().sum();
  }

  void adam(float rate) {
    power1_ *= 0.9f;
    power2_ *= 0.999f;
    const float corrected_rate = rate * std::sqrt(1 - power2_) / (1 - power1_);
    using Parameters = Eigen::Map<Eigen::Array<float, parameter_count, 1>, Eigen::Aligned64>;
    const Parameters slope(gradient);
    Parameters mean(mean_);
    Parameters square(square_);
    Parameters point(parameters);
    mean = 0.9f * mean + 0.1f * slope;
    square = 0.999f * square + 0.001f * slope * slope;
    point -= corrected_rate * mean / (square.sqrt() + 1e-8f);
  }

  alignas(64) float mean_[parameter_count]{};
  alignas(64) float square_[parameter_count]{};
  float power1_ = 1;
  float power2_ = 1;
  alignas(64) float hidden1_[B * H1];
  alignas(64) float hidden2_[B * H2];
  alignas(64) float slope1_[B * H1];  // of the loss by the layer before its ReLU;
  alignas(64) float slope2_[B * H2];  // the networks at s' borrow both as their hidden layers
  alignas(64) float values_[B * Out];
  alignas(64) float next_values_[B * Out];
  alignas(64) float chooser_[B * Out];
  alignas(64) float value_slopes_[B * Out];
};

}  // namespace peers
