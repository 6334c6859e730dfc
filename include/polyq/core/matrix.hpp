// SPDX-License-Identifier: MIT
// Matrix: a non-owning view with static sizes, [rows, columns]. A column is a sample, contiguous.
#pragma once
#include <cstddef>
#include <type_traits>

#include "polyq/core/config.hpp"

namespace polyq::core {

template <class T, int Rows, int Columns, int Stride = Rows>
struct Matrix {
  using value_type = T;
  static constexpr int rows = Rows, columns = Columns, stride = Stride;
  static_assert(Rows > 0 && Columns > 0 && Stride >= Rows);
  T* data = nullptr;

  POLYQ_HD T& operator()(int row, int column) const {
    POLYQ_ASSERT(row >= 0 && row < Rows && column >= 0 && column < Columns);
    return data[std::ptrdiff_t(column) * Stride + row];
  }
  POLYQ_HD T* column(int index) const { return data + std::ptrdiff_t(index) * Stride; }

  // A template, because nvcc would otherwise warn of a conversion to the type itself.
  template <class U>
  requires(std::is_same_v<U, const T> && !std::is_const_v<T>) POLYQ_HD
  operator Matrix<U, Rows, Columns, Stride>() const {
    return {data};
  }
};

/// The same memory, to be read.
template <class T, int R, int C, int S>
POLYQ_HD Matrix<const T, R, C, S> as_const(Matrix<T, R, C, S> matrix) {
  return {matrix.data};
}

/// The same memory read with rows and columns exchanged.
template <class M>
struct Transposed {
  using value_type = typename M::value_type;
  static constexpr int rows = M::columns, columns = M::rows;
  M of;
  POLYQ_HD value_type& operator()(int row, int column) const { return of(column, row); }
};

template <class T, int R, int C, int S>
POLYQ_HD Transposed<Matrix<T, R, C, S>> transposed(Matrix<T, R, C, S> matrix) {
  return {matrix};
}
template <class M>
POLYQ_HD M transposed(Transposed<M> matrix) {
  return matrix.of;
}

/// Stands where a matrix may be absent: the gradient of a network's input.
struct Absent {};

}  // namespace polyq::core
