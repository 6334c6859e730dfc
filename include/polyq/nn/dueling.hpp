// SPDX-License-Identifier: MIT
// Dueling (Wang et al. 2016): a stream of values and a stream of advantages behind the same input.
// DuelingMlp: an Mlp whose last hidden layer and output are doubled into two streams.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "polyq/nn/linear.hpp"
#include "polyq/nn/sequential.hpp"

namespace polyq::nn {

/// Floats ← 0: the pads behind a column.
struct ZeroFloats {
  float* to;
  POLYQ_HD void operator()(int i) const { to[i] = 0; }
};

/// One column of y[a·Z + z] = V[z] + Adv[a·Z + z] − mean over actions of Adv[·Z + z].
template <class V, class Adv, class Y>
struct DuelingSum {
  static constexpr int values = V::rows, actions = Adv::rows / V::rows;
  V value;
  Adv advantage;
  Y y;

  struct Value {
    const float *value, *advantage;
    float* y;
    POLYQ_HD void operator()(int z) const {
      float sum = 0;
      for (int a = 0; a < actions; ++a) sum += advantage[a * values + z];
      const float shift = value[z] - sum / float(actions);
      for (int a = 0; a < actions; ++a) y[a * values + z] = shift + advantage[a * values + z];
    }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t sample) const {
    const int b = int(sample);
    team.for_each(values, Value{value.column(b), advantage.column(b), y.column(b)});
    team.for_each(Y::stride - Y::rows, ZeroFloats{y.column(b) + Y::rows});
  }
};

/// One column of its gradients: dV[z] = Σ over actions of dy[a·Z + z], dAdv = dy − dV / A, each
/// times the slope of its stream's last activation.
template <class OfValue, class OfAdvantage, class V, class Adv, class DY, class DV, class DAdv>
struct DuelingPull {
  static constexpr int values = V::rows, actions = Adv::rows / V::rows;
  V value;
  Adv advantage;
  DY dy;
  DV dvalue;
  DAdv dadvantage;

  struct Value {
    const float *value, *advantage, *dy;
    float *dvalue, *dadvantage;
    POLYQ_HD void operator()(int z) const {
      float sum = 0;
      for (int a = 0; a < actions; ++a) sum += dy[a * values + z];
      const float mean = sum / float(actions);
      dvalue[z] = OfValue::pull(value[z], sum);
      for (int a = 0; a < actions; ++a) {
        const int row = a * values + z;
        dadvantage[row] = OfAdvantage::pull(advantage[row], dy[row] - mean);
      }
    }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t sample) const {
    const int b = int(sample);
    team.for_each(values, Value{value.column(b), advantage.column(b), dy.column(b),
                                dvalue.column(b), dadvantage.column(b)});
    team.for_each(DV::stride - DV::rows, ZeroFloats{dvalue.column(b) + DV::rows});
    team.for_each(DAdv::stride - DAdv::rows, ZeroFloats{dadvantage.column(b) + DAdv::rows});
  }
};

/// to ← to + from, over any lane of values.
struct AddElement {
  float* to;
  const float* from;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(to, i.load(to) + i.load(from));
  }
};

/// Two layers that read the same x; Value::out is Z, Advantage::out is A·Z. Z is 1, or the atoms of
/// a distribution. Value's parameters stand before Advantage's.
template <class Value, class Advantage>
struct Dueling {
  static_assert(Value::in == Advantage::in,
                "polyq::nn::Dueling: the streams' in differ; both read the same input");
  static_assert(Advantage::out % Value::out == 0,
                "polyq::nn::Dueling: the advantages' out is not a multiple of the values' out; it "
                "is action_count times as much");
  static constexpr int in = Value::in, out = Advantage::out;
  static constexpr int observation_size = in, action_count = out;
  static constexpr int layer_count = Value::layer_count + Advantage::layer_count;
  static constexpr std::size_t parameter_count =
      Value::parameter_count + Advantage::parameter_count;
  static constexpr bool trained = Value::trained || Advantage::trained;
  static constexpr bool explores = nn::explores<Value>() || nn::explores<Advantage>();
  using Output = math::Identity;

  Value value = {};
  Advantage advantage = {};

  template <class Storage>
  static constexpr std::size_t parameters() {
    return Value::template parameters<Storage>() + Advantage::template parameters<Storage>();
  }
  template <class Storage>
  static constexpr auto blocks() {
    constexpr auto values = Value::template blocks<Storage>();
    constexpr auto advantages = Advantage::template blocks<Storage>();
    std::array<core::Block, values.size() + advantages.size()> all{};
    std::size_t count = 0;
    for (const core::Block& block : values) all[count++] = block;
    for (core::Block block : advantages) {
      block.layer += Value::layer_count;
      block.offset += Value::template parameters<Storage>();
      all[count++] = block;
    }
    return all;
  }

  /// Both streams' outputs, and their tapes.
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return Tape<Storage, B>::size;
  }
  /// Both streams' dy, one dx, and their scratch.
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return Scratch<Storage, B>::size;
  }

  void initialise(std::uint64_t seed, std::uint32_t first, float* packed) const {
    value.initialise(seed, first, packed);
    advantage.initialise(seed, first + std::uint32_t(Value::parameter_count),
                         packed + Value::parameter_count);
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* tape,
                      const Pass& pass) {
    using Storage = typename Machine::Storage;
    constexpr int B = X::columns;
    using Places = Tape<Storage, B>;
    const Values<Storage, float, B> v{tape};
    const Advantages<Storage, float, B> adv{tape + Places::advantage};
    Value::forward(machine, parameters, x, v, tape + Places::of_value, pass);
    Advantage::forward(machine, parameters + Value::template parameters<Storage>(), x, adv,
                       tape + Places::of_advantage, pass.behind(Value::layer_count));
    machine.for_each_team(
        B, DuelingSum<Values<Storage, const float, B>, Advantages<Storage, const float, B>, Y>{
               v, adv, y});
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* parameters, X x, const float* tape, DY dy,
                       float* gradient, DX dx, float* scratch, const Pass& pass) {
    using Storage = typename Machine::Storage;
    constexpr int B = X::columns;
    using Kept = Tape<Storage, B>;
    using Own = Scratch<Storage, B>;
    using V = Values<Storage, const float, B>;
    using Adv = Advantages<Storage, const float, B>;
    using DV = Values<Storage, float, B>;
    using DAdv = Advantages<Storage, float, B>;
    using Second = backend::Activations<Storage, float, in, B>;
    constexpr std::size_t behind = Value::template parameters<Storage>();
    constexpr bool asked = !std::is_same_v<DX, core::Absent>;
    const DV dv{scratch};
    const DAdv dadv{scratch + Own::advantage};
    machine.for_each_team(
        B, DuelingPull<typename Value::Output, typename Advantage::Output, V, Adv, DY, DV, DAdv>{
               {tape}, {tape + Kept::advantage}, dy, dv, dadv});
    Value::template backward<Below>(machine, parameters, x, tape + Kept::of_value, V(dv), gradient,
                                    dx, scratch + Own::of_value, pass);
    const auto other = [&] {
      if constexpr (asked)
        return Second{scratch + Own::dx};
      else
        return core::Absent{};
    }();
    Advantage::template backward<Below>(
        machine, parameters + behind, x, tape + Kept::of_advantage, Adv(dadv), gradient + behind,
        other, scratch + Own::of_advantage, pass.behind(Value::layer_count));
    if constexpr (asked)
      machine.for_each_element(std::int64_t{Second::stride} * B, AddElement{dx.data, other.data});
  }

 private:
  template <class Storage, class T, int B>
  using Values = backend::Activations<Storage, T, Value::out, B>;
  template <class Storage, class T, int B>
  using Advantages = backend::Activations<Storage, T, Advantage::out, B>;

  template <class Storage, int B>
  struct Tape {  // [V | Adv | Value's | Advantage's]
    static constexpr std::size_t advantage = Storage::activation_size(Value::out, B),
                                 of_value = advantage + Storage::activation_size(out, B),
                                 of_advantage = of_value + Value::template tape_size<Storage, B>(),
                                 size = of_advantage + Advantage::template tape_size<Storage, B>();
  };
  template <class Storage, int B>
  struct Scratch {  // [dV | dAdv | Advantage's dx | Value's | Advantage's]
    static constexpr std::size_t advantage = Storage::activation_size(Value::out, B),
                                 dx = advantage + Storage::activation_size(out, B),
                                 of_value = dx + Storage::activation_size(in, B),
                                 of_advantage =
                                     of_value + Value::template scratch_size<Storage, B>(),
                                 size =
                                     of_advantage + Advantage::template scratch_size<Storage, B>();
  };
};

namespace detail {
/// Hidden layers as in an Mlp, the first a Linear, further ones Layers; from the last of them on
/// two streams of Layers to Z and A·Z.
template <template <int, int, class> class Layer, int Z, class Made, int... Sizes>
struct MakeDueling {
  static_assert(sizeof...(Sizes) >= 3,
                "polyq::nn::DuelingMlp: it needs a hidden layer; DuelingMlp<O, hidden..., A>");
  using type = Sequential<Linear<1, 1>>;
};
template <template <int, int, class> class Layer, int Z, class... Made, int In, int Hidden,
          int Actions>
struct MakeDueling<Layer, Z, Sequential<Made...>, In, Hidden, Actions> {
  template <int Out>
  using Stream = Sequential<Layer<In, Hidden, math::Relu>, Layer<Hidden, Out, math::Identity>>;
  using type = Sequential<Made..., Dueling<Stream<Z>, Stream<Actions * Z>>>;
};
template <template <int, int, class> class Layer, int Z, class... Made, int In, int Hidden,
          int Next, int More, int... Rest>
struct MakeDueling<Layer, Z, Sequential<Made...>, In, Hidden, Next, More, Rest...>
    : MakeDueling<Layer, Z,
                  Sequential<Made..., std::conditional_t<sizeof...(Made) == 0,
                                                         Linear<In, Hidden, math::Relu>,
                                                         Layer<In, Hidden, math::Relu>>>,
                  Hidden, Next, More, Rest...> {};
}  // namespace detail

/// Mlp<O, hidden..., A> with the last hidden layer H and the output doubled: Linear<., H> with ReLU
/// to Linear<H, 1>, and to Linear<H, A>. With one hidden layer the streams start at the input.
template <int... Sizes>
struct DuelingMlp : detail::MakeDueling<Linear, 1, Sequential<>, Sizes...>::type {};

}  // namespace polyq::nn
