// SPDX-License-Identifier: MIT
// Reference's loops by hand.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/backend/reference.hpp>
#include <polyq/core/matrix.hpp>
#include <vector>

namespace backend = polyq::backend;
namespace core = polyq::core;
using Machine = backend::Reference::Machine;
using Storage = backend::Reference::Storage;

namespace {

struct ValueOf {
  const float* values;
  template <class Lane>
  float operator()(Lane i) const {
    return i.load(values);
  }
};

}  // namespace

TEST_CASE("nothing is padded and a weight is [In][Out]") {
  static_assert(Storage::granule == 1 && Storage::stride(33) == 33);
  static_assert(Storage::activation_size(33, 7) == 231);
  static_assert(Storage::outputs_contiguous(1, 1) && Storage::outputs_contiguous(40, 2));
  static_assert(Storage::dense_scratch(128, 128) == 0);
  static_assert(!Machine::fuses(backend::Fusion::dense));
  using Weight = backend::Weight<Storage, float, 3, 2>;
  static_assert(Weight::rows == 3 && Weight::columns == 2 && Weight::stride == 3);
}

TEST_CASE("a product by hand") {
  // [1 2 3; 4 5 6] [1 0; 0 2; -1 1] = [-2 7; -2 16], stored by columns.
  const float x[] = {1, 4, 2, 5, 3, 6}, y[] = {1, 0, -1, 0, 2, 1};
  float out[4] = {};
  Machine machine(backend::Reference{});
  machine.matmul(core::Matrix<const float, 2, 3>{x}, core::Matrix<const float, 3, 2>{y},
                 core::Matrix<float, 2, 2>{out});
  CHECK(std::vector<float>(out, out + 4) == std::vector<float>{-2, -2, 7, 16});
}

TEST_CASE("a sum runs from the first to the last") {
  // In float 2^24 + 1 is 2^24, so that the order shows: only from the left it is 2^24 - 2^24 + 1.
  const float left[] = {0x1p24f, -0x1p24f, 1}, right[] = {1, 0x1p24f, -0x1p24f};
  float sums[2];
  Machine machine(backend::Reference{});
  machine.sum(3, ValueOf{left}, sums);
  machine.sum(3, ValueOf{right}, sums + 1);
  CHECK(sums[0] == 1);
  CHECK(sums[1] == 0);
}
