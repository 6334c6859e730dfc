// SPDX-License-Identifier: MIT
// Places are aligned and disjoint, an Arena is zeroed and known by offset, Blocks walk row by row.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <polyq/core/arena.hpp>
#include <string>
#include <utility>
#include <vector>

#include "backends.hpp"

namespace core = polyq::core;

namespace {

// The layout of some agent, as a constant: what Dqn does at compile time.
struct Places {
  core::Layout layout;
  core::Place<float> parameters = layout.place<float>(65);
  core::Place<std::uint8_t> ended = layout.place<std::uint8_t>(1);
  core::Place<double> nothing = layout.place<double>(0);
  core::Place<std::uint64_t> clock = layout.place<std::uint64_t>(32);
  core::Place<float> last = layout.place<float>(1);
};
constexpr Places places;

/// A machine whose fresh memory is full of ones, as reused memory may be.
template <class B>
struct Dirty : B::Machine {
  using B::Machine::Machine;
  template <class T>
  auto allocate(std::size_t n, const char* what) {
    auto memory = B::Machine::template allocate<T>(n, what);
    const std::vector<T> ones(n, T{0xff});
    this->upload(memory.get(), ones.data(), n);
    return memory;
  }
};

}  // namespace

TEST_CASE("round_up is the next multiple") {
  static_assert(core::round_up(0, 8) == 0 && core::round_up(1, 8) == 8);
  CHECK(core::round_up(8, 8) == 8);
  CHECK(core::round_up(9, 8) == 16);
  CHECK(core::round_up(7, 1) == 7);
}

TEST_CASE("places start on 256-byte boundaries and never overlap") {
  // 65 floats are 260 bytes, so two lines of 256; a byte takes one; nothing takes none.
  static_assert(places.parameters.offset == 0 && places.parameters.count == 65);
  CHECK(places.ended.offset == 512);
  CHECK(places.nothing.offset == 768);
  CHECK(places.clock.offset == 768);
  CHECK(places.last.offset == 1024);
  CHECK(places.layout.bytes() == 1280);
}

TEST_CASE_TEMPLATE("an arena is zeroed and each place is its own memory", B, POLYQ_BACKENDS) {
  Dirty<B> machine(B{});
  const core::Arena<Dirty<B>> arena(machine, places.layout.bytes(), "a test");

  std::vector<std::byte> bytes(places.layout.bytes(), std::byte{1});
  const std::byte* start = arena[core::Place<std::byte>{0, bytes.size()}];
  machine.download(bytes.data(), start, bytes.size());
  CHECK(bytes == std::vector<std::byte>(bytes.size()));

  const std::vector<float> ones(places.parameters.count, 1.f);
  machine.upload(arena[places.parameters], ones.data(), ones.size());
  const std::uint8_t ended = 7;
  machine.upload(arena[places.ended], &ended, 1);
  const float last = 3;
  machine.upload(arena[places.last], &last, 1);

  std::vector<float> read(places.parameters.count);
  machine.download(read.data(), arena[places.parameters], read.size());
  CHECK(read == ones);
  machine.download(bytes.data(), start, bytes.size());
  CHECK(bytes[512] == std::byte{7});
  float at_offset = 0;
  std::memcpy(&at_offset, bytes.data() + 1024, sizeof at_offset);
  CHECK(at_offset == 3);
  CHECK(reinterpret_cast<std::uintptr_t>(start) % 256 == 0);
}

TEST_CASE("a block's elements stand where its steps say") {
  // [2, 3], rows contiguous (a weight [In][Out] read as [Out, In]): row + 4 * column, from 16 on.
  constexpr core::Block block{0, "weight", 2, 3, 1, 4, 16, true};
  static_assert(block.at(0, 0) == 16 && block.at(1, 0) == 17);
  CHECK(block.at(1, 2) == 25);
  // The other way round, [Out][In]: 4 * row + column.
  constexpr core::Block turned{0, "weight", 2, 3, 4, 1, 16, true};
  CHECK(turned.at(1, 2) == 22);
}

TEST_CASE("parameters are visited block by block, each row by row") {
  constexpr std::array<core::Block, 2> blocks{
      {{0, "weight", 2, 3, 1, 4, 0, true}, {0, "bias", 2, 1, 1, 0, 16, true}}};
  std::vector<std::pair<std::size_t, std::size_t>> visited;
  core::for_each_parameter(blocks, [&](std::size_t packed, std::size_t padded) {
    visited.emplace_back(packed, padded);
  });
  CHECK(visited == std::vector<std::pair<std::size_t, std::size_t>>{
                       {0, 0}, {1, 4}, {2, 8}, {3, 1}, {4, 5}, {5, 9}, {6, 16}, {7, 17}});
}
