// SPDX-License-Identifier: MIT
// Pack: Eigen's SIMD packet of a given width as a value type, with the operators and the named
// functions that the formulas of math/ use. Width and FMA are in the type, so that objects
// compiled with different flags and linked together never meet under one name.
#pragma once
#include <Eigen/Core>
#include <cstring>

namespace polyq::backend::tile {

namespace ei = Eigen::internal;

#ifdef EIGEN_VECTORIZE_FMA
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

// Named by its width and never by the raw vector type: g++ warns of that as a template argument.
template <int Lanes, bool Fma>
struct Pack {
  using Raw = typename ei::find_best_packet<float, Lanes>::type;
  static constexpr int lanes = Lanes;
  static_assert(ei::unpacket_traits<Raw>::size == Lanes,
                "polyq::EigenCpu: no Eigen packet of this width");
  Raw raw;

  Pack() = default;
  explicit Pack(float all) : raw(ei::pset1<Raw>(all)) {}
  static Pack of(Raw raw) {
    Pack pack;
    pack.raw = raw;
    return pack;
  }
  static Pack load(const float* from) { return of(ei::ploadu<Raw>(from)); }
  void store(float* to) const { ei::pstoreu(to, raw); }
  float sum() const { return ei::predux(raw); }

  friend Pack operator+(Pack a, Pack b) { return of(ei::padd(a.raw, b.raw)); }
  friend Pack operator-(Pack a, Pack b) { return of(ei::psub(a.raw, b.raw)); }
  friend Pack operator*(Pack a, Pack b) { return of(ei::pmul(a.raw, b.raw)); }
  friend Pack operator/(Pack a, Pack b) { return of(ei::pdiv(a.raw, b.raw)); }
  friend Pack multiply_add(Pack a, Pack b, Pack c) { return of(ei::pmadd(a.raw, b.raw, c.raw)); }
  friend Pack maximum(Pack a, Pack b) { return of(ei::pmax(a.raw, b.raw)); }
  friend Pack square_root(Pack a) { return of(ei::psqrt(a.raw)); }
  friend Pack hyperbolic_tangent(Pack a) { return of(ei::ptanh(a.raw)); }
  friend Pack where_positive(Pack test, Pack value) {
    return of(ei::pand(ei::pcmp_lt(ei::pset1<Raw>(0.f), test.raw), value.raw));
  }
};

/// Full has `Lanes` floats, Half a half of them where the machine has such a packet.
template <int Lanes, bool Fma>
struct Packets {
  static constexpr int lanes = Lanes;
  using Full = Pack<Lanes, Fma>;
  static constexpr int half_lanes =
      ei::unpacket_traits<typename ei::unpacket_traits<typename Full::Raw>::half>::size;
  using Half = Pack<half_lanes, Fma>;
  /// The first lanes of `full`; the compilers need no instruction for it.
  static Half low_half(Full full) {
    Half half;
    std::memcpy(&half, &full, sizeof half);
    return half;
  }
};

}  // namespace polyq::backend::tile
