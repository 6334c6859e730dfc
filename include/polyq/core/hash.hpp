// SPDX-License-Identifier: MIT
// fnv1a: the 64-bit FNV-1a hash (Fowler, Noll, Vo) of bytes, to compare runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace polyq::core {

constexpr std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte byte : bytes) hash = (hash ^ std::uint64_t(byte)) * 0x100000001b3u;
  return hash;
}

}  // namespace polyq::core
