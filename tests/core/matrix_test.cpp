// SPDX-License-Identifier: MIT
// A column is contiguous and stands a stride from the next; transposing exchanges the indices.
#include <doctest/doctest.h>

#include <array>
#include <numeric>
#include <polyq/core/matrix.hpp>
#include <type_traits>

namespace core = polyq::core;

namespace {

using Mutable = core::Matrix<float, 2, 3, 4>;
using Constant = core::Matrix<const float, 2, 3, 4>;

// A const float may not become a float, nor one shape another.
static_assert(std::is_convertible_v<Mutable, Constant>);
static_assert(!std::is_convertible_v<Constant, Mutable>);
static_assert(!std::is_convertible_v<Mutable, core::Matrix<const float, 2, 3>>);
static_assert(!std::is_convertible_v<Mutable, core::Matrix<const float, 3, 2, 4>>);
static_assert(core::Matrix<float, 5, 3>::stride == 5);
static_assert(std::is_trivially_copyable_v<Mutable> && sizeof(Mutable) == sizeof(float*));

std::array<float, 12> counted() {
  std::array<float, 12> values;
  std::iota(values.begin(), values.end(), 0.f);
  return values;
}

}  // namespace

TEST_CASE("element (row, column) stands at column * stride + row") {
  std::array<float, 12> values = counted();
  const Mutable matrix{values.data()};
  CHECK(matrix(0, 0) == 0);
  CHECK(matrix(1, 0) == 1);
  CHECK(matrix(0, 1) == 4);
  CHECK(matrix(1, 2) == 9);
  CHECK(matrix.column(2) == values.data() + 8);
  matrix(1, 1) = -1;
  CHECK(values[5] == -1);
  const Constant read = matrix;
  CHECK(read(1, 1) == -1);
}

TEST_CASE("transposed reads the same memory with rows and columns exchanged") {
  std::array<float, 12> values = counted();
  const Mutable matrix{values.data()};
  const auto turned = core::transposed(matrix);
  static_assert(turned.rows == 3 && turned.columns == 2);
  for (int row = 0; row < 2; ++row)
    for (int column = 0; column < 3; ++column) CHECK(&turned(column, row) == &matrix(row, column));
  static_assert(std::is_same_v<decltype(core::transposed(turned)), Mutable>);
  CHECK(core::transposed(turned).data == values.data());
}
