// SPDX-License-Identifier: MIT
// Scale: y = factor · x + shift per feature, a network's first layer. Its numbers stand among the
// parameters, so that they travel with every copy of them, but they are not trained.
#pragma once
#include <array>
#include <limits>
#include <type_traits>

#include "polyq/core/error.hpp"
#include "polyq/math/finite.hpp"
#include "polyq/nn/concept.hpp"

namespace polyq::nn {

/// One column of y = factor · x + shift, its pads included.
template <class X, class Y>
struct ScaleColumn {
  const float *factor, *shift;
  X x;
  Y y;
  POLYQ_HD void operator()(std::int64_t sample) const {
    const float* from = x.column(int(sample));
    float* to = y.column(int(sample));
    for (int i = 0; i < Y::stride; ++i) to[i] = factor[i] * from[i] + shift[i];
  }
};

template <int O>
struct Scale {
  static constexpr int in = O, out = O, layer_count = 1;
  static constexpr std::size_t parameter_count = 2 * std::size_t(O);
  static constexpr bool trained = false;
  using Output = math::Identity;

  std::array<float, O> factor = ones(), shift{};

  /// Maps [low, high] to [-1, 1] in each feature; throws SettingsError unless low < high and both
  /// are finite.
  static Scale range(const std::array<float, O>& low, const std::array<float, O>& high) {
    Scale scale;
    for (int i = 0; i < O; ++i) {
      const float width = high[i] - low[i];
      require(width > 0 && width < std::numeric_limits<float>::infinity(),
              "Scale.range, a width high - low", width, "finite and > 0");
      scale.factor[i] = 2 / width;
      scale.shift[i] = -(high[i] + low[i]) / width;
    }
    return scale;
  }

  template <class Storage>
  static constexpr std::size_t parameters() {
    return 2 * shift_offset<Storage>();
  }
  template <class Storage>
  static constexpr std::array<core::Block, 2> blocks() {
    return {{{0, "factor", O, 1, 1, 0, 0, trained},
             {0, "shift", O, 1, 1, 0, shift_offset<Storage>(), trained}}};
  }
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return 0;
  }
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return 0;
  }

  /// Throws SettingsError for a factor that is 0 or not finite, or a shift that is not finite.
  void initialise(std::uint64_t /*seed*/, std::uint32_t /*first*/, float* packed) const {
    for (int i = 0; i < O; ++i) {
      require(math::is_finite(factor[i]) && factor[i] != 0, "Scale.factor[" + shown(i) + "]",
              factor[i], "finite and not 0");
      require(math::is_finite(shift[i]), "Scale.shift[" + shown(i) + "]", shift[i], "finite");
      packed[i] = factor[i];
      packed[O + i] = shift[i];
    }
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* /*tape*/,
                      const Pass& /*pass*/) {
    const float* shift = parameters + shift_offset<typename Machine::Storage>();
    machine.for_each(Y::columns, ScaleColumn<X, Y>{parameters, shift, x, y});
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine&, const float*, X, const float*, DY, float*, DX, float*,
                       const Pass&) {
    static_assert(std::is_same_v<DX, core::Absent>,
                  "polyq::nn::Scale: it passes no gradient down; it must be the first layer");
  }

 private:
  static constexpr std::array<float, O> ones() {
    std::array<float, O> all{};
    all.fill(1);
    return all;
  }
  template <class Storage>
  static constexpr std::size_t shift_offset() {
    return core::round_up(Storage::stride(O), Storage::granule);
  }
};

}  // namespace polyq::nn
