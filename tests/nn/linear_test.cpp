// SPDX-License-Identifier: MIT
// A linear layer's tensors lie apart and where the backend reads them; it starts as PyTorch's does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <polyq/core/random.hpp>
#include <polyq/nn/linear.hpp>
#include <string>
#include <vector>

#include "backends.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace math = polyq::math;
namespace nn = polyq::nn;

namespace {

template <class Layer>
std::vector<float> initial(std::uint64_t seed, std::uint32_t first) {
  std::vector<float> packed(Layer::parameter_count);
  Layer{}.initialise(seed, first, packed.data());
  return packed;
}

/// Blocks tell where each parameter is; the weight's view must read the same places.
template <class Storage, int In, int Out>
void check_places() {
  using Layer = nn::Linear<In, Out>;
  INFO("in ", In, ", out ", Out);
  constexpr auto blocks = Layer::template blocks<Storage>();
  static_assert(blocks.size() == 2 && blocks[0].trained && blocks[1].trained);
  CHECK(std::string(blocks[0].name) == "weight");
  CHECK(std::string(blocks[1].name) == "bias");
  CHECK((blocks[0].rows == Out && blocks[0].columns == In));
  CHECK((blocks[1].rows == Out && blocks[1].columns == 1));

  std::vector<float> padded(Layer::template parameters<Storage>());
  std::size_t visited = 0;
  core::for_each_parameter(blocks, [&](std::size_t packed, std::size_t at) {
    REQUIRE(at < padded.size());
    CHECK(padded[at] == 0);  // no two share a place
    padded[at] = float(packed + 1);
    ++visited;
  });
  CHECK(visited == Layer::parameter_count);
  CHECK(blocks[1].offset % Storage::granule == 0);
  CHECK(padded.size() % Storage::granule == 0);

  using W = backend::Weight<Storage, float, Out, In>;
  const auto weight = [&] {
    if constexpr (requires { W::stride; }) {
      return W{padded.data()};
    } else {
      return W{{padded.data()}};
    }
  }();
  for (int out = 0; out < Out; ++out)
    for (int in = 0; in < In; ++in) CHECK(weight(out, in) == out * In + in + 1);
}

}  // namespace

TEST_CASE_TEMPLATE("weight and bias have places of their own, in either order of storage", B,
                   POLYQ_BACKENDS) {
  using Storage = typename B::Machine::Storage;
  check_places<Storage, 1, 1>();
  check_places<Storage, 4, 2>();
  check_places<Storage, 33, 7>();
  check_places<Storage, 3, 17>();
  check_places<Storage, 18, 40>();
}

TEST_CASE("parameters are a weight and a bias") {
  static_assert(nn::Linear<4, 128>::parameter_count == 640);
  static_assert(nn::Linear<84, 2>::parameter_count == 170);
  static_assert(nn::Linear<4, 128>::layer_count == 1 && nn::Linear<4, 128>::trained);
}

TEST_CASE("initial values are uniform in 1 / sqrt(in) to both sides, as torch.nn.Linear's") {
  using Layer = nn::Linear<100, 50>;
  const std::vector<float> packed = initial<Layer>(3, 0);
  const auto [least, largest] = std::minmax_element(packed.begin(), packed.end());
  CHECK(*least >= -.1f);
  CHECK(*largest <= .1f);
  // Of 5050 draws the outermost are within 1 % of the ends but for one case in e^25.
  CHECK(*least < -.099f);
  CHECK(*largest > .099f);
  // The mean has a deviation of .1 / sqrt(3 * 5050) = 8.1e-4; the mean square is .01 / 3 with one
  // of .01 * sqrt(4 / 45 / 5050) = 4.2e-5. Four deviations.
  double mean = 0, square = 0;
  for (const float value : packed) mean += value / 5050, square += value * value / 5050;
  CHECK(std::abs(mean) < 4 * 8.1e-4);
  CHECK(std::abs(square - .01 / 3) < 4 * 4.2e-5);
}

TEST_CASE("value i is draw first + i of the init stream, so that layers draw apart") {
  using Layer = nn::Linear<4, 3>;
  const std::vector<float> packed = initial<Layer>(7, 100);
  for (std::uint32_t i = 0; i < 15; ++i) {
    const auto words = core::philox(7, core::Stream::init, 0, 100 + i);
    CHECK(packed[i] == core::uniform(words.word[0]) - .5f);  // in = 4: ±1/2
  }
  CHECK(initial<Layer>(7, 101)[0] == packed[1]);
  CHECK(initial<Layer>(8, 100) != packed);
}

TEST_CASE_TEMPLATE("initial values arrive equal in every backend's memory", B, POLYQ_BACKENDS) {
  using Layer = nn::Linear<5, 18>;
  using Storage = typename B::Machine::Storage;
  const std::vector<float> packed = initial<Layer>(1, 0);
  std::vector<float> padded(Layer::parameters<Storage>()), back(packed.size());
  constexpr auto blocks = Layer::blocks<Storage>();
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { padded[at] = packed[i]; });
  typename B::Machine machine(B{});
  const auto memory = machine.template allocate<float>(padded.size());
  machine.upload(memory.get(), padded.data(), padded.size());
  std::vector<float> read(padded.size());
  machine.download(read.data(), memory.get(), read.size());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { back[i] = read[at]; });
  CHECK(back == packed);
}

// W = [1 2; -3 4; 5 6], b = (0, 1, -20), x = (1, -1): W x + b = (-1, -6, -21), x = (2, 1):
// (4, -1, -4). With dy = (1, 2, 0) and (0, 1, 1): dW = dy xᵀ = [1 -1; 2+2 -2+1; 2 1],
// db = (1, 3, 1), Wᵀ dy = (1-6, 2+8) and (-3+5, 4+6), of which relu's slope at x keeps x > 0.
TEST_CASE_TEMPLATE("forward and backward by hand, where what was there before is gone", B,
                   POLYQ_BACKENDS) {
  using Machine = typename B::Machine;
  using Storage = typename Machine::Storage;
  using Layer = nn::Linear<2, 3, math::Relu>;
  constexpr auto blocks = Layer::template blocks<Storage>();
  constexpr std::size_t size = Layer::template parameters<Storage>();
  const std::vector<float> packed{1, 2, -3, 4, 5, 6, 0, 1, -20};
  std::vector<float> padded(size), gradient(size);
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) {
    padded[at] = packed[i];
    gradient[at] = 99;  // of an update before
  });
  Machine machine(B{});
  const auto uploaded = [&](const std::vector<float>& values) {
    auto memory = machine.template allocate<float>(values.size());
    machine.upload(memory.get(), values.data(), values.size());
    return memory;
  };
  const auto downloaded = [&](const float* from, std::size_t count) {
    std::vector<float> values(count);
    machine.download(values.data(), from, count);
    return values;
  };
  const auto parameters = uploaded(padded), slopes = uploaded(gradient),
             x = uploaded({1, -1, 2, 1}), y = uploaded(std::vector<float>(6, 99)),
             dy = uploaded({1, 2, 0, 0, 1, 1}), dx = uploaded(std::vector<float>(4, 99)),
             scratch =
                 uploaded(std::vector<float>(Layer::template scratch_size<Storage, 2>() + 1, 99));
  using X = core::Matrix<float, 2, 2>;  // two and three rows are padded nowhere
  using Y = core::Matrix<float, 3, 2>;
  const nn::Pass pass{nn::Role::online, nullptr, 0};
  Layer::forward(machine, parameters.get(), X{x.get()}, Y{y.get()}, nullptr, pass);
  CHECK(downloaded(y.get(), 6) == std::vector<float>{0, 0, 0, 4, 0, 0});
  Layer::template backward<math::Relu>(machine, parameters.get(), X{x.get()}, nullptr, Y{dy.get()},
                                       slopes.get(), X{dx.get()}, scratch.get(), pass);
  CHECK(downloaded(dx.get(), 4) == std::vector<float>{-5, 0, 2, 10});
  const std::vector<float> read = downloaded(slopes.get(), size);
  std::vector<float> got(packed.size());
  core::for_each_parameter(blocks, [&](std::size_t i, std::size_t at) { got[i] = read[at]; });
  CHECK(got == std::vector<float>{1, -1, 4, -1, 2, 1, 1, 3, 1});
}
