// SPDX-License-Identifier: MIT
// Noisy (Fortunato et al. 2018): a linear layer whose weights carry learned, factorised Gaussian
// noise, by which it explores. NoisyMlp: an Mlp of them behind a first linear layer.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "polyq/core/error.hpp"
#include "polyq/core/random.hpp"
#include "polyq/math/finite.hpp"
#include "polyq/math/normal.hpp"
#include "polyq/nn/linear.hpp"
#include "polyq/nn/sequential.hpp"

namespace polyq::nn {

/// A noisy layer's lanes in Stream::noise, each of four deviates. From the highest bit: 2 for the
/// role, 10 for the layer's number in the network, 1 for outputs, 19 for the block of deviates.
struct NoiseLane {
  static constexpr int layers = 1 << 10, blocks = 1 << 19, block_size = 4;
  static constexpr std::uint32_t of_outputs = blocks;
  static_assert(int(Role::online) == 0 && int(Role::target) == 1 && int(Role::selector) == 2 &&
                int(Role::acting) == 3);
  static_assert(std::uint64_t{4} * layers * 2 * blocks == std::uint64_t{1} << 32);

  /// Block 0 of the inputs.
  static std::uint32_t first(const Pass& pass) {
    POLYQ_ASSERT(pass.role != Role::evaluation && pass.layer >= 0 && pass.layer < layers);
    return std::uint32_t(pass.role) << 30 | std::uint32_t(pass.layer) << 20;
  }
};

/// How a layer [In] to [Out] lies in a storage: its noise, f(ε) of the inputs, then of the outputs,
/// each with pads of 0; and its parameters as rows, the weight's as they are stored, then the bias.
template <class Storage, int In, int Out>
struct NoisyForm {
  static constexpr int floats(int n) {
    return core::round_up(core::round_up(Storage::stride(n), Storage::granule),
                          NoiseLane::block_size);
  }
  static constexpr int in = In, out = Out;
  static constexpr int outputs = floats(In), size = outputs + floats(Out);
  static constexpr bool contiguous = Storage::outputs_contiguous(Out, In);
  static constexpr int weight_rows = contiguous ? In : Out;
  static constexpr int weight_width = Storage::stride(contiguous ? Out : In);
  static constexpr int rows = weight_rows + 1, bias_width = Storage::stride(Out);
  static constexpr std::size_t bias = Linear<In, Out>::template blocks<Storage>()[1].offset;

  /// Element k of row r stands at begin + k of a parameter span; its noise is factor · along[k].
  struct Row {
    std::size_t begin;
    int width;
    float factor;
    const float* along;
  };
  POLYQ_HD static Row row(int r, const float* noise) {
    if (r == weight_rows) return {bias, bias_width, 1, noise + outputs};
    return {std::size_t(r) * weight_width, weight_width, noise[contiguous ? r : outputs + r],
            noise + (contiguous ? outputs : 0)};
  }
};

/// Four floats of a layer's noise: f(ε) = sgn(ε) √|ε| of normal deviates, 0 where they are pads.
template <class Form>
struct DrawNoise {
  float* noise;
  std::uint64_t seed;
  std::uint32_t lane;
  bool acting;
  const core::Clock* clock;

  struct Each {
    float* noise;
    std::uint64_t seed, step;
    std::uint32_t lane;
    POLYQ_HD void operator()(std::int64_t i) const {
      constexpr int size = NoiseLane::block_size, first_output = Form::outputs / size;
      const bool of_output = i >= first_output;
      const std::int32_t block = std::int32_t(i) - (of_output ? first_output : 0);
      const core::Words words =
          core::philox(seed, core::Stream::noise, step,
                       lane + (of_output ? NoiseLane::of_outputs : 0) + std::uint32_t(block));
      const math::Normals first = math::normal(words.word[0], words.word[1]),
                          second = math::normal(words.word[2], words.word[3]);
      const float deviates[size] = {first.first, first.second, second.first, second.second};
      const int left = (of_output ? Form::out : Form::in) - size * block;
      for (int k = 0; k < size; ++k) {
        const float e = deviates[k], f = e * math::inverse_root(std::fabs(e));
        noise[size * i + k] = k < left ? f : 0.f;
      }
    }
  };
  POLYQ_HD Each prepare() const {
    return {noise, seed, acting ? clock->env_steps : clock->updates, lane};
  }
};

/// One row of the effective parameters: mean + sigma · noise, pads included.
template <class Form>
struct AddNoise {
  const float *mean, *sigma, *noise;
  float* effective;

  struct Element {
    const float *mean, *sigma, *along;
    float* to;
    float factor;
    POLYQ_HD void operator()(int k) const { to[k] = mean[k] + sigma[k] * (factor * along[k]); }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t r) const {
    const auto row = Form::row(int(r), noise);
    team.for_each(row.width, Element{mean + row.begin, sigma + row.begin, row.along,
                                     effective + row.begin, row.factor});
  }
};

/// One row of sigma's gradient: the means' gradient · noise, pads included.
template <class Form>
struct NoiseSlope {
  const float *of_mean, *noise;
  float* of_sigma;

  struct Element {
    const float *from, *along;
    float* to;
    float factor;
    POLYQ_HD void operator()(int k) const { to[k] = from[k] * (factor * along[k]); }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t r) const {
    const auto row = Form::row(int(r), noise);
    team.for_each(row.width,
                  Element{of_mean + row.begin, row.along, of_sigma + row.begin, row.factor});
  }
};

/// y = act((W + Σ ∘ f(ε_out) f(ε_in)ᵀ) x + b + σ ∘ f(ε_out)), f(ε) = sgn(ε) √|ε|. The noise is a
/// function of (seed, updates, role, layer), of env steps in place of updates when it acts: one
/// draw for all samples and shards. Evaluation uses the means alone.
template <int In, int Out, class Activation = math::Identity>
struct Noisy {
  static_assert(std::max(In, Out) <= NoiseLane::blocks * NoiseLane::block_size,
                "polyq::nn::Noisy: a size is above 2^21; draws have no number for more");
  using Mean = Linear<In, Out, Activation>;
  static constexpr int in = In, out = Out, layer_count = 1;
  static constexpr std::size_t parameter_count = 2 * Mean::parameter_count;
  static constexpr bool trained = true, explores = true;
  using Output = Activation;

  float sigma_0 = .5f;  // every sigma starts at sigma_0 / √in

  template <class Storage>
  static constexpr std::size_t parameters() {
    return 2 * Mean::template parameters<Storage>();
  }
  template <class Storage>
  static constexpr std::array<core::Block, 4> blocks() {
    constexpr auto means = Mean::template blocks<Storage>();
    std::array<core::Block, 4> all{means[0], means[1], means[0], means[1]};
    all[2].name = "weight_sigma";
    all[3].name = "bias_sigma";
    for (int i = 2; i < 4; ++i) all[i].offset += Mean::template parameters<Storage>();
    return all;
  }
  /// The effective parameters, and the noise.
  template <class Storage, int B>
  static constexpr std::size_t tape_size() {
    return Mean::template parameters<Storage>() +
           core::round_up(NoisyForm<Storage, In, Out>::size, Storage::granule);
  }
  template <class Storage, int B>
  static constexpr std::size_t scratch_size() {
    return Mean::template scratch_size<Storage, B>();
  }

  /// Throws SettingsError for a sigma_0 that is not finite or not above 0.
  void initialise(std::uint64_t seed, std::uint32_t first, float* packed) const {
    require(math::is_finite(sigma_0) && sigma_0 > 0, "Noisy.sigma_0", sigma_0, "finite and > 0");
    Mean{}.initialise(seed, first, packed);
    for (std::size_t i = Mean::parameter_count; i < parameter_count; ++i)
      packed[i] = sigma_0 / std::sqrt(float(In));
  }

  template <class Machine, class X, class Y>
  static void forward(Machine& machine, const float* parameters, X x, Y y, float* tape,
                      const Pass& pass) {
    if (pass.role == Role::evaluation) {
      Mean::forward(machine, parameters, x, y, nullptr, pass);
      return;
    }
    using Storage = typename Machine::Storage;
    using Form = NoisyForm<Storage, In, Out>;
    constexpr std::size_t half = Mean::template parameters<Storage>();
    float* const noise = tape + half;
    machine.for_each(Form::size / NoiseLane::block_size,
                     DrawNoise<Form>{noise, pass.seed, NoiseLane::first(pass),
                                     pass.role == Role::acting, pass.clock});
    machine.for_each_team(Form::rows, AddNoise<Form>{parameters, parameters + half, noise, tape});
    Mean::forward(machine, tape, x, y, nullptr, pass);
  }
  template <class Below, class Machine, class X, class DY, class DX>
  static void backward(Machine& machine, const float* parameters, X x, const float* tape, DY dy,
                       float* gradient, DX dx, float* scratch, const Pass& pass) {
    using Storage = typename Machine::Storage;
    using Form = NoisyForm<Storage, In, Out>;
    constexpr std::size_t half = Mean::template parameters<Storage>();
    const bool noisy = pass.role != Role::evaluation;
    Mean::template backward<Below>(machine, noisy ? tape : parameters, x, nullptr, dy, gradient, dx,
                                   scratch, pass);
    if (noisy)
      machine.for_each_team(Form::rows, NoiseSlope<Form>{gradient, tape + half, gradient + half});
    else
      machine.zero(gradient + half, half * sizeof(float));
  }
};

namespace detail {
template <class Made, int... Sizes>
struct MakeNoisy {
  static_assert(sizeof...(Sizes) >= 3,
                "polyq::nn::NoisyMlp: it needs a hidden layer; NoisyMlp<O, hidden..., A>");
  using type = Sequential<Linear<1, 1>>;
};
template <class First, class... Made, int In, int Out>
struct MakeNoisy<Sequential<First, Made...>, In, Out> {
  using type = Sequential<First, Made..., Noisy<In, Out>>;
};
template <class... Made, int In, int Hidden, int Next, int... Rest>
struct MakeNoisy<Sequential<Made...>, In, Hidden, Next, Rest...>
    : MakeNoisy<Sequential<Made...,
                           std::conditional_t<sizeof...(Made) == 0, Linear<In, Hidden, math::Relu>,
                                              Noisy<In, Hidden, math::Relu>>>,
                Hidden, Next, Rest...> {};
}  // namespace detail

/// Mlp<O, hidden..., A> with noise in all layers but the first, as the paper leaves a convolutional
/// trunk without.
template <int... Sizes>
struct NoisyMlp : detail::MakeNoisy<Sequential<>, Sizes...>::type {};

}  // namespace polyq::nn
