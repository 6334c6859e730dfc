// SPDX-License-Identifier: MIT
// One SIMD packet of floats as a value over Eigen's packet functions (AVX-512, AVX2, SSE, NEON).
#pragma once
#include <Eigen/Core>

namespace peers {

/// A template on its width although each build uses one width: g++ warns of a raw vector type which
/// is a template argument, unless the type depends on a parameter.
template <int Width>
struct BasicPacket {
  using Raw = typename Eigen::internal::find_best_packet<float, Width>::type;

  Raw raw;

  static BasicPacket all(float value) { return {Eigen::internal::pset1<Raw>(value)}; }
  static BasicPacket load(const float* aligned) { return {Eigen::internal::pload<Raw>(aligned)}; }
  void store(float* aligned) const { Eigen::internal::pstore(aligned, raw); }

  friend BasicPacket operator+(BasicPacket a, BasicPacket b) {
    return {Eigen::internal::padd(a.raw, b.raw)};
  }
  friend BasicPacket operator-(BasicPacket a, BasicPacket b) {
    return {Eigen::internal::psub(a.raw, b.raw)};
  }
  friend BasicPacket operator*(BasicPacket a, BasicPacket b) {
    return {Eigen::internal::pmul(a.raw, b.raw)};
  }
  friend BasicPacket operator/(BasicPacket a, BasicPacket b) {
    return {Eigen::internal::pdiv(a.raw, b.raw)};
  }

  /// a * b + c, in one instruction where the machine has it.
  friend BasicPacket multiply_add(BasicPacket a, BasicPacket b, BasicPacket c) {
    return {Eigen::internal::pmadd(a.raw, b.raw, c.raw)};
  }
  friend BasicPacket square_root(BasicPacket a) { return {Eigen::internal::psqrt(a.raw)}; }
  friend BasicPacket relu(BasicPacket a) { return {Eigen::internal::pmax(a.raw, all(0.f).raw)}; }
  /// `value` where `test` > 0, elsewhere 0: what a ReLU hands down.
  friend BasicPacket where_positive(BasicPacket test, BasicPacket value) {
    return {Eigen::internal::pand(Eigen::internal::pcmp_lt(all(0.f).raw, test.raw), value.raw)};
  }
  friend float sum(BasicPacket a) { return Eigen::internal::predux(a.raw); }

  /// Transposes one Width x Width square in registers.
  static void transpose(const float* from, int from_stride, float* to, int to_stride) {
    Eigen::internal::PacketBlock<Raw, Width> rows;
    for (int row = 0; row < Width; ++row) rows.packet[row] = load(from + row * from_stride).raw;
    Eigen::internal::ptranspose(rows);
    for (int row = 0; row < Width; ++row) {
      Eigen::internal::pstore(to + row * to_stride, rows.packet[row]);
    }
  }
};

inline constexpr int lanes = Eigen::internal::packet_traits<float>::size;
using Packet = BasicPacket<lanes>;

#ifdef EIGEN_VECTORIZE_FMA
inline constexpr bool has_fused_multiply_add = true;
#else
inline constexpr bool has_fused_multiply_add = false;
#endif

/// `count` rounded up to whole packets.
constexpr int padded(int count) { return (count + lanes - 1) / lanes * lanes; }

}  // namespace peers
