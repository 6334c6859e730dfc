// SPDX-License-Identifier: MIT
// The peers' network in plain double loops: first weights, a batch, and the gradient check.
//
// It reads a peer through one interface, so that each peer may lay its memory out as it likes:
//   In, H1, H2, Out, B, is_double                  the shapes; double or plain Q-learning
//   parameter_count, parameters, target_parameters, gradient          flat arrays, pads included
//   weight1(in, out), bias1(out), ... weight3, bias3                  where a number lies in them
//   observations, next_observations [B][In], actions, rewards, continues [B]         the batch
//   update(discount, rate), copy_target()
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace peers {

/// In [-bound, bound), the same on every standard library.
class SignedUniform {
 public:
  explicit SignedUniform(unsigned seed) : engine_(seed) {}
  float operator()(float bound) {
    return bound * (static_cast<float>(engine_() >> 8) * 0x1p-23f - 1.f);
  }
  int below(int count) { return static_cast<int>(engine_() % static_cast<unsigned>(count)); }

 private:
  std::mt19937 engine_;
};

/// Calls `visit(index, fan_in)` for each parameter that is not a pad, layer by layer.
template <class Peer, class Visitor>
void for_each_parameter(Visitor visit) {
  for (int in = 0; in < Peer::In; ++in) {
    for (int out = 0; out < Peer::H1; ++out) visit(Peer::weight1(in, out), Peer::In);
  }
  for (int out = 0; out < Peer::H1; ++out) visit(Peer::bias1(out), Peer::In);
  for (int in = 0; in < Peer::H1; ++in) {
    for (int out = 0; out < Peer::H2; ++out) visit(Peer::weight2(in, out), Peer::H1);
  }
  for (int out = 0; out < Peer::H2; ++out) visit(Peer::bias2(out), Peer::H1);
  for (int in = 0; in < Peer::H2; ++in) {
    for (int out = 0; out < Peer::Out; ++out) visit(Peer::weight3(in, out), Peer::H2);
  }
  for (int out = 0; out < Peer::Out; ++out) visit(Peer::bias3(out), Peer::H2);
}

/// Uniform in +-1 / sqrt(fan in), PyTorch's default; equal for all peers of the same shapes.
template <class Peer>
void draw_weights(float* parameters, unsigned seed) {
  SignedUniform uniform(seed);
  for_each_parameter<Peer>([&](int index, int fan_in) {
    parameters[index] = uniform(1.f / std::sqrt(static_cast<float>(fan_in)));
  });
}

template <class Peer>
void initialize_weights(Peer& peer, unsigned seed = 1) {
  draw_weights<Peer>(peer.parameters, seed);
  peer.copy_target();
}

/// A batch of random transitions, of which each seventeenth ends its episode.
template <class Peer>
void fill_batch(Peer& peer, unsigned seed = 2) {
  SignedUniform uniform(seed);
  for (int i = 0; i < Peer::B * Peer::In; ++i) {
    peer.observations[i] = uniform(1.f);
    peer.next_observations[i] = uniform(1.f);
  }
  for (int b = 0; b < Peer::B; ++b) {
    peer.actions[b] = uniform.below(Peer::Out);
    peer.rewards[b] = 1.f;
    peer.continues[b] = b % 17 == 0 ? 0.f : 1.f;
  }
}

/// The forward pass and the loss of one peer in double.
template <class Peer>
class DoubleNetwork {
 public:
  /// Output of the network at one observation; `parameters` are laid out as the peer's.
  const std::vector<double>& forward(const std::vector<double>& parameters,
                                     const float* observation) {
    for (int out = 0; out < Peer::H1; ++out) hidden1_[out] = parameters[Peer::bias1(out)];
    for (int in = 0; in < Peer::In; ++in) {
      for (int out = 0; out < Peer::H1; ++out) {
        hidden1_[out] += parameters[Peer::weight1(in, out)] * observation[in];
      }
    }
    relu(hidden1_);
    for (int out = 0; out < Peer::H2; ++out) hidden2_[out] = parameters[Peer::bias2(out)];
    for (int in = 0; in < Peer::H1; ++in) {
      for (int out = 0; out < Peer::H2; ++out) {
        hidden2_[out] += parameters[Peer::weight2(in, out)] * hidden1_[in];
      }
    }
    relu(hidden2_);
    for (int out = 0; out < Peer::Out; ++out) {
      output_[out] = parameters[Peer::bias3(out)];
      for (int in = 0; in < Peer::H2; ++in) {
        output_[out] += parameters[Peer::weight3(in, out)] * hidden2_[in];
      }
    }
    return output_;
  }

  /// Q(s, a) is drawn towards these; they carry no gradient.
  std::vector<double> targets(const Peer& peer, double discount) {
    const std::vector<double> online(peer.parameters, peer.parameters + Peer::parameter_count);
    const std::vector<double> target(peer.target_parameters,
                                     peer.target_parameters + Peer::parameter_count);
    std::vector<double> result(Peer::B);
    for (int b = 0; b < Peer::B; ++b) {
      const float* next = peer.next_observations + b * Peer::In;
      const std::vector<double> values = forward(target, next);
      const std::vector<double> chooser = Peer::is_double ? forward(online, next) : values;
      const auto best = std::max_element(chooser.begin(), chooser.end()) - chooser.begin();
      result[b] = peer.rewards[b] + discount * peer.continues[b] * values[best];
    }
    return result;
  }

  struct Loss {
    double value;              // mean of (Q(s, a) - target)^2
    std::size_t active_units;  // a hash of which ReLUs are on
  };
  Loss loss(const Peer& peer, const std::vector<double>& parameters,
            const std::vector<double>& targets) {
    active_units_ = 0;
    double total = 0;
    for (int b = 0; b < Peer::B; ++b) {
      const std::vector<double>& values = forward(parameters, peer.observations + b * Peer::In);
      const double delta = values[peer.actions[b]] - targets[b];
      total += delta * delta;
    }
    return {total / Peer::B, active_units_};
  }

 private:
  void relu(std::vector<double>& units) {
    for (double& unit : units) {
      const bool active = unit > 0;
      active_units_ = active_units_ * 31 + active;
      if (!active) unit = 0;
    }
  }

  std::vector<double> hidden1_ = std::vector<double>(Peer::H1);
  std::vector<double> hidden2_ = std::vector<double>(Peer::H2);
  std::vector<double> output_ = std::vector<double>(Peer::Out);
  std::size_t active_units_ = 0;
};

/// Largest difference between the peer's gradient and central differences in double, as a part of
/// the largest entry compared; over all biases of the last layer and about `samples` others. The
/// peer's update runs once, with rate 0 and a target network of other weights, since double and
/// plain Q-learning agree while both networks are equal. A coordinate is skipped if a ReLU switches
/// between its two points: there the difference quotient is a mixture of two slopes, and not the
/// gradient.
template <class Peer>
double gradient_error(Peer& peer, int samples = 200) {
  constexpr float discount = 0.99f;
  constexpr double step = 1e-5;  // rounding moves the quotient by about 1e-16 / 1e-5
  DoubleNetwork<Peer> network;
  const std::vector<float> target_parameters(peer.target_parameters,
                                             peer.target_parameters + Peer::parameter_count);
  draw_weights<Peer>(peer.target_parameters, 4);
  peer.update(discount, 0.f);
  const std::vector<double> targets = network.targets(peer, discount);
  std::copy(target_parameters.begin(), target_parameters.end(), peer.target_parameters);
  std::vector<double> point(peer.parameters, peer.parameters + Peer::parameter_count);

  std::vector<int> coordinates;
  for_each_parameter<Peer>([&](int index, int) { coordinates.push_back(index); });
  std::shuffle(coordinates.begin(), coordinates.end() - Peer::Out, std::mt19937(3));
  std::reverse(coordinates.begin(), coordinates.end());  // the biases of the last layer come first
  const int count = std::min(static_cast<int>(coordinates.size()), Peer::Out + samples);

  double worst = 0;
  double largest = 0;
  for (int i = 0; i < count; ++i) {
    double& coordinate = point[coordinates[i]];
    const double middle = coordinate;
    coordinate = middle + step;
    const auto above = network.loss(peer, point, targets);
    coordinate = middle - step;
    const auto below = network.loss(peer, point, targets);
    coordinate = middle;
    if (above.active_units != below.active_units) continue;
    const double computed = peer.gradient[coordinates[i]];
    if (!std::isfinite(computed)) return std::numeric_limits<double>::infinity();  // max drops NaN
    const double expected = (above.value - below.value) / (2 * step);
    worst = std::max(worst, std::abs(computed - expected));
    largest = std::max(largest, std::abs(expected));
  }
  return worst / largest;
}

}  // namespace peers
