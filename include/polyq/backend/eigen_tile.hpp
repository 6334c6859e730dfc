// SPDX-License-Identifier: MIT
// product: EigenCpu's matrix product by static register tiles on Eigen's packets, without packing.
// Every product of a dense layer is
//   C[n][m] = Σ_k A[k][m] · b(n, k),  m contiguous in A and C, b a broadcast scalar,
// so a packet column of A is loaded once for many samples n. A tail of m is one half packet.
#pragma once
#include <Eigen/Core>
#include <cstddef>

#include "polyq/backend/eigen_packet.hpp"

namespace polyq::backend::tile {

/// A is [k][a_stride], b(n, k) stands at n·b_n + k·b_k, C is [n][c_stride]; m is a multiple of the
/// half packet.
struct ProductShape {
  int m, n, k, a_stride, b_n, b_k, c_stride;
};

// What a sum starts from.
struct FromZero {
  template <class V>
  V at(int) const {
    return V(0.f);
  }
  FromZero shifted(int) const { return *this; }
};
struct FromBias {
  const float* bias;
  template <class V>
  V at(int m) const {
    return V::load(bias + m);
  }
  FromBias shifted(int m) const { return {bias + m}; }
};

// What is done with a finished sum of C.
template <class Activation>
struct Activate {
  template <class V>
  void operator()(float* c, V sum) const {
    Activation::value(sum).store(c);
  }
};
/// Times the slope of the activation whose output is x, laid out as C is.
template <class Activation>
struct PullThrough {
  const float* x;
  const float* c_begin;
  template <class V>
  void operator()(float* c, V sum) const {
    Activation::pull(V::load(x + (c - c_begin)), sum).store(c);
  }
};

/// The tile's shape: R packet columns by S samples obey R·S + R + 1 ≤ registers, so that neither
/// sums nor operands spill. Near 24 sums of 32 registers, or 12 of 16, measured best.
struct Tiling {
  int widest, sums;
  constexpr Tiling(int registers, int samples)
      : widest(samples == 1      ? registers / 4
               : registers >= 32 ? 4
                                 : 2),
        sums(registers >= 32 ? 24 : 12) {}
  constexpr int samples(int columns) const { return sums / columns < 12 ? sums / columns : 12; }
};

/// One register tile: R full packets and, if Tail, one half packet, by S samples.
template <class P, ProductShape Shape, int R, bool Tail, int S, class Start, class End>
[[gnu::always_inline]] inline void block(const float* a, const float* b, Start start, float* c,
                                         End end) {
  using Full = typename P::Full;
  using Half = typename P::Half;
  constexpr int L = P::lanes;
  Full sum[S][R > 0 ? R : 1];
  [[maybe_unused]] Half tail[S];
#pragma GCC unroll 16
  for (int s = 0; s < S; ++s) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[s][r] = start.template at<Full>(r * L);
    if constexpr (Tail) tail[s] = start.template at<Half>(R * L);
  }
  for (int k = 0; k < Shape.k; ++k) {
    Full column[R > 0 ? R : 1];
    [[maybe_unused]] Half last;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) column[r] = Full::load(a + k * Shape.a_stride + r * L);
    if constexpr (Tail) last = Half::load(a + k * Shape.a_stride + R * L);
#pragma GCC unroll 16
    for (int s = 0; s < S; ++s) {
      const float* scalar = b + s * Shape.b_n + k * Shape.b_k;
      if constexpr (R > 0) {
        const Full broadcast(*scalar);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum[s][r] = multiply_add(column[r], broadcast, sum[s][r]);
        // g++ would load the scalar once for two broadcasts and shuffle both.
        if constexpr (Tail) tail[s] = multiply_add(last, P::low_half(broadcast), tail[s]);
      } else {
        tail[s] = multiply_add(last, Half(*scalar), tail[s]);
      }
    }
  }
#pragma GCC unroll 16
  for (int s = 0; s < S; ++s) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) end(c + s * Shape.c_stride + r * L, sum[s][r]);
    if constexpr (Tail) end(c + s * Shape.c_stride + R * L, tail[s]);
  }
}

/// All samples of one strip of packet columns.
template <class P, ProductShape Shape, int R, bool Tail, int S, class Start, class End>
[[gnu::always_inline]] inline void strip(const float* a, const float* b, Start start, float* c,
                                         End end) {
  for (int n = 0; n + S <= Shape.n; n += S)
    block<P, Shape, R, Tail, S>(a, b + n * Shape.b_n, start, c + n * Shape.c_stride, end);
  if constexpr (constexpr int rest = Shape.n % S; rest != 0) {
    constexpr int n = Shape.n - rest;
    block<P, Shape, R, Tail, rest>(a, b + n * Shape.b_n, start, c + n * Shape.c_stride, end);
  }
}

/// Strips from number Index on, which begins at row M0; widths differ by at most one packet.
template <class P, ProductShape Shape, int Index, int M0, class Start, class End>
[[gnu::always_inline]] inline void strips(const float* a, const float* b, Start start, float* c,
                                          End end) {
  static_assert(Shape.m % P::half_lanes == 0);
  constexpr bool tail = Shape.m % P::lanes != 0;
  constexpr int columns = Shape.m / P::lanes + tail;
  constexpr Tiling tiling(EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS, Shape.n);
  constexpr int count = (columns + tiling.widest - 1) / tiling.widest;
  constexpr int width = columns / count + (Index < columns % count ? 1 : 0);
  constexpr bool has_tail = tail && Index + 1 == count;
  constexpr int full = width - has_tail;
  strip<P, Shape, full, has_tail, tiling.samples(width)>(a + M0, b, start.shifted(M0), c + M0, end);
  if constexpr (Index + 1 < count)
    strips<P, Shape, Index + 1, M0 + full * P::lanes>(a, b, start, c, end);
}

/// C[n][m] = end(start[m] + Σ_k A[k][m] · b(n, k)). A function of its own, so that the registers
/// of one product are not shared with another's.
template <class P, ProductShape Shape, class Start, class End>
[[gnu::noinline]] void product(const float* a, const float* b, Start start, float* c, End end) {
  strips<P, Shape, 0, 0>(a, b, start, c, end);
}

/// out[m] = Σ_n x[n][m]; x is [N][Stride], M a multiple of the half packet.
template <class P, int M, int N, int Stride>
void column_sum(const float* x, float* out) {
  using Full = typename P::Full;
  using Half = typename P::Half;
  constexpr int L = P::lanes, full = M / L * L, wide = 4 * L;
  int m = 0;
  for (; m + wide <= full; m += wide) {
    Full sum[4] = {Full(0.f), Full(0.f), Full(0.f), Full(0.f)};
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) sum[r] = sum[r] + Full::load(x + n * Stride + m + r * L);
    for (int r = 0; r < 4; ++r) sum[r].store(out + m + r * L);
  }
  for (; m < full; m += L) {
    Full sum(0.f);
    for (int n = 0; n < N; ++n) sum = sum + Full::load(x + n * Stride + m);
    sum.store(out + m);
  }
  if constexpr (full < M) {
    Half sum(0.f);
    for (int n = 0; n < N; ++n) sum = sum + Half::load(x + n * Stride + full);
    sum.store(out + full);
  }
}

template <class V, int FromStride, int ToStride>
[[gnu::always_inline]] inline void transpose_square(const float* from, float* to) {
  using Raw = typename V::Raw;
  ei::PacketBlock<Raw, V::lanes> rows;
  for (int r = 0; r < V::lanes; ++r) rows.packet[r] = ei::ploadu<Raw>(from + r * FromStride);
  ei::ptranspose(rows);
  for (int r = 0; r < V::lanes; ++r) ei::pstoreu(to + r * ToStride, rows.packet[r]);
}

/// to [Columns][ToStride] = fromᵀ, from [Rows][FromStride]: squares in registers, the remainder
/// by element; the pads of `to` become zero.
template <class P, int Rows, int Columns, int FromStride, int ToStride>
void transpose(const float* from, float* to) {
  constexpr int L = P::lanes, H = P::half_lanes;
  constexpr int full_rows = Rows / L * L, full_columns = Columns / L * L;
  constexpr int half_rows = Rows / H * H, half_columns = Columns / H * H;
  for (int r = 0; r < full_rows; r += L)
    for (int c = 0; c < full_columns; c += L)
      transpose_square<typename P::Full, FromStride, ToStride>(from + r * FromStride + c,
                                                               to + c * ToStride + r);
  for (int r = 0; r < half_rows; r += H)
    for (int c = r < full_rows ? full_columns : 0; c < half_columns; c += H)
      transpose_square<typename P::Half, FromStride, ToStride>(from + r * FromStride + c,
                                                               to + c * ToStride + r);
  for (int c = 0; c < Columns; ++c) {
    for (int r = c < half_columns ? half_rows : 0; r < Rows; ++r)
      to[c * ToStride + r] = from[r * FromStride + c];
    for (int r = Rows; r < ToStride; ++r) to[c * ToStride + r] = 0;
  }
}

/// Σ a[i]·b[i] over N floats, N a multiple of the half packet or below one packet.
template <class P, int N>
float dot(const float* a, const float* b) {
  using Full = typename P::Full;
  using Half = typename P::Half;
  constexpr int full = N / P::lanes * P::lanes;
  if constexpr (full == 0) {
    float total = 0;
    for (int i = 0; i < N; ++i) total += a[i] * b[i];
    return total;
  } else {
    Full total = Full::load(a) * Full::load(b);
    for (int i = P::lanes; i < full; i += P::lanes)
      total = multiply_add(Full::load(a + i), Full::load(b + i), total);
    if constexpr (full < N)
      return total.sum() + (Half::load(a + full) * Half::load(b + full)).sum();
    return total.sum();
  }
}

}  // namespace polyq::backend::tile
