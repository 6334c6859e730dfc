// SPDX-License-Identifier: MIT
// Layer: stateless functions of a parameter span, with static sizes; a value of it holds only what
// the parameters start from. Network: a layer from observations to what a rule reads.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "polyq/backend/concept.hpp"
#include "polyq/core/arena.hpp"
#include "polyq/core/clock.hpp"
#include "polyq/math/activation.hpp"

namespace polyq::nn {

enum class Role { online, target, selector, acting, evaluation };

/// What a pass is for. A layer that draws does so from (seed, Stream::noise, clock, role, layer);
/// other layers ignore these.
struct Pass {
  Role role;
  const core::Clock* clock;
  std::uint64_t seed;
  bool again = false;  // backward: the parameters and the scratch are as the last one left them
  int layer = 0;       // counted over the network, nested layers included

  /// For the layer that stands behind `layers` others.
  Pass behind(int layers) const { return {role, clock, seed, again, layer + layers}; }
};

/// A layer on a machine, for B samples: its sizes, and its two passes.
/// - parameter_count: without pads; parameters<Storage>(): floats with pads; blocks<Storage>():
///   where each tensor stands; trained: whether any of them is learned.
/// - initialise(seed, first, packed): writes the parameters in PyTorch's order, drawing number i
///   from (seed, Stream::init, 0, first + i), so that they are equal on all backends.
/// - explores, if it has one: whether it draws its own exploration when it acts.
/// - tape_size: floats that a forward leaves for the backward, inner outputs only; scratch_size:
///   floats that a backward needs. Both may hold anything before, but for pass.again.
/// - forward(machine, parameters, x [in,B], y [out,B], tape, pass): enqueues.
/// - backward<Below>(machine, parameters, x, tape, dy, gradient, dx | Absent, scratch, pass):
///   enqueues; writes, never accumulates. dy is the gradient before this layer's activation, dx
///   leaves with the slope of Below, the activation that made x. What is not trained keeps the
///   gradient 0 of the arena's start.
template <class L, class Machine, int B>
concept LayerOn = requires(
    const L& layer, Machine& machine, float* span, const float* read,
    backend::Activations<typename Machine::Storage, const float, L::in, B> x,
    backend::Activations<typename Machine::Storage, float, L::out, B> y,
    backend::Activations<typename Machine::Storage, const float, L::out, B> dy, const Pass& pass) {
  { L::in } -> std::convertible_to<int>;
  { L::out } -> std::convertible_to<int>;
  { L::layer_count } -> std::convertible_to<int>;
  { L::parameter_count } -> std::convertible_to<std::size_t>;
  { L::trained } -> std::convertible_to<bool>;
  typename L::Output;  // the activation whose output leaves the layer
  { L::template parameters<typename Machine::Storage>() } -> std::same_as<std::size_t>;
  { L::template blocks<typename Machine::Storage>().size() } -> std::same_as<std::size_t>;
  { L::template tape_size<typename Machine::Storage, B>() } -> std::same_as<std::size_t>;
  { L::template scratch_size<typename Machine::Storage, B>() } -> std::same_as<std::size_t>;
  layer.initialise(std::uint64_t{}, std::uint32_t{}, span);
  L::forward(machine, read, x, y, span, pass);
  L::template backward<math::Identity>(machine, read, x, read, dy, span, core::Absent{}, span,
                                       pass);
};

/// Whether L draws its own exploration when it acts, so that random actions need not be mixed in.
template <class L>
consteval bool explores() {
  if constexpr (requires { L::explores; }) {
    return L::explores;
  } else {
    return false;
  }
}

template <class N>
concept Network = requires {
  { N::observation_size } -> std::convertible_to<int>;
  { N::action_count } -> std::convertible_to<int>;
  { N::out } -> std::convertible_to<int>;
};

}  // namespace polyq::nn
