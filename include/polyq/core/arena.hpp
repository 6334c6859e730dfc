// SPDX-License-Identifier: MIT
// Arena: one zeroed allocation; Layout: its places, computed at compile time; Block: one named
// tensor among the parameters, and the way between padded memory and files.
#pragma once
#include <array>
#include <cstddef>

#include "polyq/core/config.hpp"

namespace polyq::core {

constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }

/// `count` elements of T at `offset` bytes from the arena's start.
template <class T>
struct Place {
  std::size_t offset = 0, count = 0;
};

/// Hands out places one after another; every place starts on a 256-byte boundary.
class Layout {
 public:
  template <class T>
  constexpr Place<T> place(std::size_t count) {
    const Place<T> here{bytes_, count};
    bytes_ = (bytes_ + count * sizeof(T) + alignment - 1) / alignment * alignment;
    return here;
  }
  constexpr std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t alignment = 256;
  std::size_t bytes_ = 0;
};

/// One allocation of a machine, zeroed; relocatable, since all inside is known by offset.
template <class Machine>
class Arena {
 public:
  /// Throws DeviceError, naming `what`, when the machine has not that much memory.
  Arena(Machine& machine, std::size_t bytes, const char* what)
      : memory_(machine.template allocate<std::byte>(bytes, what)) {
    machine.zero(memory_.get(), bytes);
  }
  template <class T>
  T* operator[](Place<T> place) const {
    return reinterpret_cast<T*>(memory_.get() + place.offset);
  }

 private:
  typename Machine::template Owned<std::byte> memory_;
};

/// A tensor [rows, columns] of a parameter span: element (r, c) stands at
/// offset + r·row_step + c·column_step.
struct Block {
  int layer;         // counted over the network, nested layers included
  const char* name;  // as PyTorch calls it: "weight" is [out, in], "bias" is [out, 1]
  int rows, columns, row_step, column_step;
  std::size_t offset;
  bool trained;  // false: a constant that gradients never touch

  constexpr std::size_t at(int row, int column) const {
    return offset + std::size_t(row) * row_step + std::size_t(column) * column_step;
  }
};

/// Calls visit(packed index, padded index) for every parameter, blocks in order, each row by row:
/// the order of PyTorch, of files and of hashes.
template <std::size_t Count, class Visit>
constexpr void for_each_parameter(const std::array<Block, Count>& blocks, Visit visit) {
  std::size_t packed = 0;
  for (const Block& block : blocks)
    for (int row = 0; row < block.rows; ++row)
      for (int column = 0; column < block.columns; ++column) visit(packed++, block.at(row, column));
}

}  // namespace polyq::core
