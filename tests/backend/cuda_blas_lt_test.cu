// SPDX-License-Identifier: MIT
// Products with something behind them: what cublasLt is told makes bias, ReLU and bias gradients of
// the right rows; a plan is made once a shape.
#include <doctest/doctest.h>

#include <algorithm>
#include <polyq/backend/cuda_blas_lt.hpp>
#include <polyq/core/random.hpp>
#include <string>
#include <vector>

#include "fake_cuda.hpp"

namespace core = polyq::core;
namespace cuda = polyq::backend::cuda;
using test::fake_cuda;

namespace {

std::vector<float> random(int count, std::uint64_t salt) {
  std::vector<float> values(count);
  for (int i = 0; i < count; ++i)
    values[i] = 2 * core::uniform(core::philox(6, core::Stream::noise, salt, i).word[0]) - 1;
  return values;
}

using Weight = core::Matrix<float, 5, 3, 8>;  // [out, in] in columns of 8
using Input = core::Matrix<float, 3, 4, 3>;
using Output = core::Matrix<float, 5, 4, 8>;

struct Layer {
  std::vector<float> w = random(24, 1), x = random(12, 2), bias = random(5, 3),
                     y = std::vector<float>(32, 9), dy = random(32, 4),
                     dw = std::vector<float>(24, 9), dbias = std::vector<float>(5, 9);
  float before_bias(int out, int sample) {
    float total = 0;
    for (int i = 0; i < 3; ++i) total += Weight{w.data()}(out, i) * Input{x.data()}(i, sample);
    return total;
  }
};

}  // namespace

TEST_CASE("a product, its bias, and ReLU") {
  Layer layer;
  cuda::BlasLt blas(nullptr, nullptr);
  for (const bool relu : {false, true}) {
    blas.product(Weight{layer.w.data()}, Input{layer.x.data()}, Output{layer.y.data()},
                 relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS, layer.bias.data());
    for (int o = 0; o < 5; ++o)
      for (int s = 0; s < 4; ++s) {
        const float value = layer.before_bias(o, s) + layer.bias[o];
        CHECK(Output{layer.y.data()}(o, s) ==
              doctest::Approx(relu ? std::max(value, 0.f) : value).epsilon(1e-6));
      }
  }
  CHECK(layer.y[5] == 9);  // pads are left alone
}

TEST_CASE("a weight's gradient and its bias's in one product") {
  Layer layer;
  cuda::BlasLt blas(nullptr, nullptr);
  const Output dy{layer.dy.data()};
  const Input x{layer.x.data()};
  blas.product(dy, transposed(x), Weight{layer.dw.data()}, CUBLASLT_EPILOGUE_BGRADA,
               layer.dbias.data());
  for (int o = 0; o < 5; ++o) {
    float bias = 0;
    for (int s = 0; s < 4; ++s) bias += dy(o, s);
    CHECK(layer.dbias[o] == doctest::Approx(bias).epsilon(1e-6));
    for (int i = 0; i < 3; ++i) {
      float weight = 0;
      for (int s = 0; s < 4; ++s) weight += dy(o, s) * x(i, s);
      CHECK(Weight{layer.dw.data()}(o, i) == doctest::Approx(weight).epsilon(1e-6));
    }
  }
}

TEST_CASE("a plan is made once for a shape, whatever memory it is called with") {
  Layer first, second;
  cuda::BlasLt blas(nullptr, nullptr);
  fake_cuda().reset();
  for (Layer* layer : {&first, &second, &first})
    blas.product(Weight{layer->w.data()}, Input{layer->x.data()}, Output{layer->y.data()},
                 CUBLASLT_EPILOGUE_BIAS, layer->bias.data());
  CHECK(fake_cuda().plans == 1);
  CHECK(fake_cuda().enqueued.size() == 3);
  second.bias.assign(5, 1);  // the pointer of each call counts, not that of the plan
  blas.product(Weight{second.w.data()}, Input{second.x.data()}, Output{second.y.data()},
               CUBLASLT_EPILOGUE_BIAS, second.bias.data());
  CHECK(second.y[0] == doctest::Approx(second.before_bias(0, 0) + 1).epsilon(1e-6));
}

TEST_CASE("where cublasLt knows no way it is an error, not another path") {
  Layer layer;
  cuda::BlasLt blas(nullptr, nullptr);
  fake_cuda().has_plans = false;
  for (int call = 0; call < 2; ++call)  // the second has no half-made plan
    CHECK_THROWS_AS(blas.product(Weight{layer.w.data()}, Input{layer.x.data()},
                                 Output{layer.y.data()}, CUBLASLT_EPILOGUE_BIAS, layer.bias.data()),
                    polyq::DeviceError);
  fake_cuda().has_plans = true;
}
