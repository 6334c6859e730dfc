// SPDX-License-Identifier: MIT
// Sequential: layers one after another, itself a Layer and a Network. Mlp: linear layers with ReLU
// between; MlpOf: with another activation.
#pragma once
#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>

#include "polyq/nn/linear.hpp"

namespace polyq::nn {

template <class... Layers>
class Sequential {
 public:
  static constexpr int size = sizeof...(Layers);
  template <int I>
  using LayerAt = std::tuple_element_t<I, std::tuple<Layers...>>;

  static constexpr int in = LayerAt<0>::in, out = LayerAt<size - 1>::out;
  static constexpr int observation_size = in, action_count = out;
  static constexpr int layer_count = (Layers::layer_count + ...);
  static constexpr std::size_t parameter_count = (Layers::parameter_count + ...);
  static constexpr bool trained = (Layers::trained || ...);
  static constexpr bool explores = (nn::explores<Layers>() || ...);
  using Output = typename LayerAt<size - 1>::Output;

  constexpr Sequential() requires(std::is_default_constructible_v<Layers>&&...) = default;
  constexpr explicit Sequential(Layers... layers) : layers_(std::move(layers)...) {}

  template <class Storage>
  static constexpr std::size_t parameters() {
    return (Layers::template parameters<Storage>() + ...);
  }
  template <class Storage>
  static constexpr auto blocks() {
    std::array<core::Block, (Layers::template blocks<Storage>().size() + ...)> all{};
    std::size_t count = 0, offset = 0;
    int layer = 0;
    const auto append = [&](const auto& own, std::size_t floats, int layers) {
      for (core::Block block : own) {
        block.layer += layer;
        block.offset += offset;
        all[count++] = block;
      }
      offset += floats;
      layer += layers;
    };
    (append(Layers::template blocks<Storage>(), Layers::template parameters<Storage>(),
            Layers::layer_count),
     ...);
    return all;
  }

  /// Every inner layer's output, and the layers' own tapes.
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return tape_offset<Storage, B, size>();
  }
  /// Two gradients between layers in turn, and each layer's own scratch, which outlasts a pass.
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return scratch_offset<Storage, B, size>();
  }

  void initialise(std::uint64_t seed, std::uint32_t first, float* packed) const {
    const auto each = [&](const auto& layer) {
      layer.initialise(seed, first, packed);
      first += std::uint32_t(layer.parameter_count);
      packed += layer.parameter_count;
    };
    std::apply([&](const Layers&... layers) { (each(layers), ...); }, layers_);
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* tape,
                      const Pass& pass) {
    forward_from<0>(machine, parameters, x, y, tape, pass);
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* parameters, X x, const float* tape, DY dy,
                       float* gradient, DX dx, float* scratch, const Pass& pass) {
    backward_from<size - 1, Below>(machine, parameters, x, tape, dy, gradient, dx, scratch, pass);
  }

 private:
  template <int... I>
  static constexpr bool sizes_meet(std::integer_sequence<int, I...>) {
    return ((LayerAt<I>::out == LayerAt<I + 1>::in) && ...);
  }
  static_assert(sizes_meet(std::make_integer_sequence<int, size - 1>{}),
                "polyq::nn::Sequential: a layer's in differs from the out of the layer before it");

  template <int I>
  static constexpr bool trained_below() {
    if constexpr (I == 0) {
      return false;
    } else {
      return LayerAt<I - 1>::trained || trained_below<I - 1>();
    }
  }
  template <int I>
  static constexpr int layers_before() {
    if constexpr (I == 0) {
      return 0;
    } else {
      return layers_before<I - 1>() + LayerAt<I - 1>::layer_count;
    }
  }
  template <class Storage, int I>
  static constexpr std::size_t parameter_offset() {
    if constexpr (I == 0) {
      return 0;
    } else {
      return parameter_offset<Storage, I - 1>() + LayerAt<I - 1>::template parameters<Storage>();
    }
  }
  template <class Storage, int I, int B>
  static constexpr std::size_t output_size() {
    return I + 1 < size ? Storage::activation_size(LayerAt<I>::out, B) : 0;
  }
  /// Layer I's part of the tape: [its output, unless it is the last | its own tape].
  template <class Storage, int B, int I>
  static constexpr std::size_t tape_offset() {
    if constexpr (I == 0) {
      return 0;
    } else {
      return tape_offset<Storage, B, I - 1>() + output_size<Storage, I - 1, B>() +
             LayerAt<I - 1>::template tape_size<Storage, B>();
    }
  }
  template <class Storage, int B>
  static constexpr std::size_t widest_gradient() {
    return std::max({Storage::activation_size(Layers::in, B)...});
  }
  template <class Storage, int B, int I>
  static constexpr std::size_t scratch_offset() {
    if constexpr (I == 0) {
      return 2 * widest_gradient<Storage, B>();
    } else {
      return scratch_offset<Storage, B, I - 1>() +
             LayerAt<I - 1>::template scratch_size<Storage, B>();
    }
  }

  template <int I, class Machine, class X, class Y>
  static void forward_from(Machine& machine, const float* parameters, X x, Y y, float* tape,
                           const Pass& pass) {
    using Storage = typename Machine::Storage;
    using Layer = LayerAt<I>;
    constexpr int B = X::columns;
    const float* own = parameters + parameter_offset<Storage, I>();
    float* output = tape + tape_offset<Storage, B, I>();
    float* own_tape = output + output_size<Storage, I, B>();
    if constexpr (I + 1 == size) {
      Layer::forward(machine, own, x, y, own_tape, pass.behind(layers_before<I>()));
    } else {
      const backend::Activations<Storage, float, Layer::out, B> inner{output};
      Layer::forward(machine, own, x, inner, own_tape, pass.behind(layers_before<I>()));
      const backend::Activations<Storage, const float, Layer::out, B> next = inner;
      forward_from<I + 1>(machine, parameters, next, y, tape, pass);
    }
  }
  template <int I, class Below, class Machine, class X, class DY, class DX>
  static void backward_from(Machine& machine, const float* parameters, X x, const float* tape,
                            DY dy, float* gradient, DX dx, float* scratch, const Pass& pass) {
    using Storage = typename Machine::Storage;
    using Layer = LayerAt<I>;
    constexpr int B = X::columns;
    const float* own = parameters + parameter_offset<Storage, I>();
    float* own_gradient = gradient + parameter_offset<Storage, I>();
    const float* own_tape = tape + tape_offset<Storage, B, I>() + output_size<Storage, I, B>();
    float* layer_scratch = scratch + scratch_offset<Storage, B, I>();
    const Pass here = pass.behind(layers_before<I>());
    if constexpr (I == 0) {
      Layer::template backward<Below>(machine, own, x, own_tape, dy, own_gradient, dx,
                                      layer_scratch, here);
    } else {
      using Input = backend::Activations<Storage, const float, Layer::in, B>;
      using BelowThis = typename LayerAt<I - 1>::Output;
      const Input input{tape + tape_offset<Storage, B, I - 1>()};
      if constexpr (!trained_below<I>() && std::is_same_v<DX, core::Absent>) {
        Layer::template backward<BelowThis>(machine, own, input, own_tape, dy, own_gradient,
                                            core::Absent{}, layer_scratch, here);
      } else {
        // Two buffers in turn: this layer reads dy from one and writes dx into the other.
        const backend::Activations<Storage, float, Layer::in, B> inner{
            scratch + I % 2 * widest_gradient<Storage, B>()};
        Layer::template backward<BelowThis>(machine, own, input, own_tape, dy, own_gradient, inner,
                                            layer_scratch, here);
        backward_from<I - 1, Below>(machine, parameters, x, tape, Input(inner), gradient, dx,
                                    scratch, pass);
      }
    }
  }

  std::tuple<Layers...> layers_;
};

namespace detail {
template <class Activation, class Made, int... Sizes>
struct MakeMlp;
template <class Activation, class... Made, int In, int Out>
struct MakeMlp<Activation, Sequential<Made...>, In, Out> {
  using type = Sequential<Made..., Linear<In, Out>>;
};
template <class Activation, class... Made, int In, int Hidden, int Next, int... Rest>
struct MakeMlp<Activation, Sequential<Made...>, In, Hidden, Next, Rest...>
    : MakeMlp<Activation, Sequential<Made..., Linear<In, Hidden, Activation>>, Hidden, Next,
              Rest...> {};
}  // namespace detail

template <class Activation, int... Sizes>
struct MlpOf : detail::MakeMlp<Activation, Sequential<>, Sizes...>::type {
  static_assert(sizeof...(Sizes) >= 2, "polyq::nn::Mlp: it needs two sizes; Mlp<O, hidden..., A>");
};
template <int... Sizes>
struct Mlp : MlpOf<math::Relu, Sizes...> {};

}  // namespace polyq::nn
