// SPDX-License-Identifier: MIT
// Products of views in every order are told to cuBLAS as they are; a fake cuBLAS computes them.
#include <doctest/doctest.h>

#include <polyq/backend/cuda_blas.hpp>
#include <polyq/core/random.hpp>
#include <string>
#include <vector>

#include "fake_cuda.hpp"

namespace core = polyq::core;
namespace cuda = polyq::backend::cuda;

namespace {

std::vector<float> random(int count, std::uint64_t salt) {
  std::vector<float> values(count);
  for (int i = 0; i < count; ++i)
    values[i] = core::uniform(core::philox(5, core::Stream::noise, salt, i).word[0]);
  return values;
}

/// A matrix [rows, columns] in memory of its own; pads hold 9.
template <int Rows, int Columns, int Stride>
struct Stored {
  std::vector<float> memory = std::vector<float>(Columns * Stride, 9);
  explicit Stored(std::uint64_t salt) {
    const std::vector<float> values = random(Rows * Columns, salt);
    for (int c = 0; c < Columns; ++c)
      for (int r = 0; r < Rows; ++r) view()(r, c) = values[c * Rows + r];
  }
  core::Matrix<float, Rows, Columns, Stride> view() { return {memory.data()}; }
};

template <class X, class Y, class Out>
void check_product(X x, Y y, Out out) {
  test::FakeCuda& fake = test::fake_cuda();
  fake.reset();
  cuda::Blas blas(nullptr, nullptr);
  blas.product(x, y, out);
  for (int r = 0; r < Out::rows; ++r)
    for (int c = 0; c < Out::columns; ++c) {
      float total = 0;
      for (int k = 0; k < X::columns; ++k) total += x(r, k) * y(k, c);
      CHECK(out(r, c) == doctest::Approx(total).epsilon(1e-6));
    }
}

}  // namespace

TEST_CASE("products of views, plain and transposed, with pads") {
  Stored<3, 5, 4> a(1);
  Stored<5, 2, 8> b(2);
  Stored<2, 5, 2> b_transposed(3);
  Stored<5, 3, 5> a_transposed(4);
  Stored<3, 2, 4> out(5);
  Stored<2, 3, 3> out_transposed(6);
  check_product(a.view(), b.view(), out.view());
  check_product(a.view(), transposed(b_transposed.view()), out.view());
  check_product(transposed(a_transposed.view()), b.view(), out.view());
  check_product(transposed(a_transposed.view()), transposed(b_transposed.view()), out.view());
  check_product(a.view(), b.view(), transposed(out_transposed.view()));
  check_product(transposed(a_transposed.view()), transposed(b_transposed.view()),
                transposed(out_transposed.view()));
  CHECK(out.memory[3] == 9);  // pads are left alone
  CHECK(out_transposed.memory[2] == 9);
}

TEST_CASE("a status that is no success is thrown with its place") {
  const int line = __LINE__ + 2;
  try {
    cuda::check(CUBLAS_STATUS_NOT_SUPPORTED);
    FAIL("nothing was thrown");
  } catch (const polyq::DeviceError& error) {
    const std::string message = error.what();
    CHECK(message.find("polyq: cuBLAS: ") == 0);
    CHECK(message.find("cuda_blas_test.cu:" + std::to_string(line)) != std::string::npos);
  }
}
