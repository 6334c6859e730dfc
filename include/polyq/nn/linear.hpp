// SPDX-License-Identifier: MIT
// Linear: y = act(W x + b); weight and bias start uniform in ±1/√in, as torch.nn.Linear's do.
#pragma once
#include <array>
#include <cmath>

#include "polyq/backend/dense.hpp"
#include "polyq/core/random.hpp"
#include "polyq/nn/concept.hpp"

namespace polyq::nn {

template <int In, int Out, class Activation = math::Identity>
struct Linear {
  static_assert(In > 0 && Out > 0, "polyq::nn::Linear: a size is below 1; Linear<In, Out>");
  static constexpr int in = In, out = Out, layer_count = 1;
  static constexpr std::size_t parameter_count = std::size_t(In) * Out + Out;
  static constexpr bool trained = true;
  using Output = Activation;

  template <class Storage>
  static constexpr std::size_t parameters() {
    return bias_offset<Storage>() + core::round_up(Storage::stride(Out), Storage::granule);
  }
  template <class Storage>
  static constexpr std::array<core::Block, 2> blocks() {
    const bool contiguous = Storage::outputs_contiguous(Out, In);
    const int row_step = contiguous ? 1 : Storage::stride(In);
    const int column_step = contiguous ? Storage::stride(Out) : 1;
    return {{{0, "weight", Out, In, row_step, column_step, 0, trained},
             {0, "bias", Out, 1, 1, 0, bias_offset<Storage>(), trained}}};
  }
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return 0;
  }
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return core::round_up(int(Storage::dense_scratch(Out, In)), Storage::granule);
  }

  void initialise(std::uint64_t seed, std::uint32_t first, float* packed) const {
    const float bound = 1 / std::sqrt(float(In));
    for (std::size_t i = 0; i < parameter_count; ++i) {
      const core::Random random{seed, core::Stream::init, 0, first + std::uint32_t(i)};
      packed[i] = (2 * core::uniform(random.words().word[0]) - 1) * bound;
    }
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* /*tape*/,
                      const Pass& /*pass*/) {
    using Storage = typename Machine::Storage;
    backend::dense_forward<Activation>(machine, Weight<Storage, const float>{parameters},
                                       parameters + bias_offset<Storage>(), x, y);
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* parameters, X x, const float* /*tape*/, DY dy,
                       float* gradient, DX dx, float* scratch, const Pass& pass) {
    using Storage = typename Machine::Storage;
    backend::dense_backward<Below>(machine, Weight<Storage, const float>{parameters}, x, dy,
                                   Weight<Storage, float>{gradient},
                                   gradient + bias_offset<Storage>(), dx, scratch, pass.again);
  }

 private:
  template <class Storage, class T>
  using Weight = backend::Weight<Storage, T, Out, In>;

  template <class Storage>
  static constexpr std::size_t bias_offset() {
    const int stored = Storage::outputs_contiguous(Out, In) ? In * Storage::stride(Out)
                                                            : Out * Storage::stride(In);
    return core::round_up(stored, Storage::granule);
  }
};

}  // namespace polyq::nn
