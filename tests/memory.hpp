// SPDX-License-Identifier: MIT
// What tests do to a machine's memory, which the host reaches by transfers alone.
#pragma once
#include <cstddef>
#include <polyq/core/matrix.hpp>
#include <type_traits>
#include <vector>

namespace test {

template <class T, class Machine>
auto uploaded(Machine& machine, const std::vector<T>& values) {
  auto memory = machine.template allocate<T>(values.size());
  machine.upload(memory.get(), values.data(), values.size());
  return memory;
}
template <class T, class Machine>
std::vector<T> downloaded(Machine& machine, const T* from, std::size_t count) {
  std::vector<T> values(count);
  machine.download(values.data(), from, count);
  return values;
}
template <class T, class Machine>
T value_at(Machine& machine, const T* from) {
  T value{};
  machine.download(&value, from, 1);
  return value;
}

/// A matrix on the host, laid out as the view M with its pads; zero at the start.
template <class M>
struct HostMatrix {
  using T = std::remove_const_t<typename M::value_type>;
  std::vector<T> values = std::vector<T>(std::size_t(M::stride) * M::columns);

  T* column(int index) { return values.data() + std::size_t(index) * M::stride; }
  const T* column(int index) const { return values.data() + std::size_t(index) * M::stride; }
  T& operator()(int row, int column) { return this->column(column)[row]; }
  T operator()(int row, int column) const { return this->column(column)[row]; }
  bool operator==(const HostMatrix&) const = default;
};

template <class Machine, int Rows, int Columns, int Stride>
void upload(Machine& machine, polyq::core::Matrix<float, Rows, Columns, Stride> to,
            const HostMatrix<polyq::core::Matrix<float, Rows, Columns, Stride>>& from) {
  machine.upload(to.data, from.values.data(), from.values.size());
}
template <class Machine, int Rows, int Columns, int Stride>
auto downloaded(Machine& machine, polyq::core::Matrix<float, Rows, Columns, Stride> from) {
  HostMatrix<polyq::core::Matrix<float, Rows, Columns, Stride>> to;
  machine.download(to.values.data(), from.data, to.values.size());
  return to;
}

}  // namespace test
