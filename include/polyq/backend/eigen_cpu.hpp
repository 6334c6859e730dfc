// SPDX-License-Identifier: MIT
// EigenCpu: one core through Eigen's packets, maps and products; its dense layers run on register
// tiles. One thread an agent: more cores are more agents, or more ranks.
#pragma once
#ifdef __CUDACC__
#error "polyq: no Eigen in a .cu, where nvcc turns its SIMD off; polyq/cuda.cuh brings none"
#endif
#include <Eigen/Core>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "polyq/backend/concept.hpp"
#include "polyq/backend/eigen_packet.hpp"
#include "polyq/backend/eigen_tile.hpp"
#include "polyq/backend/flush_denormals.hpp"
#include "polyq/backend/host_machine.hpp"
#include "polyq/backend/lane_team.hpp"
#include "polyq/core/arena.hpp"
#include "polyq/math/activation.hpp"

namespace polyq::backend {

template <int Lanes, bool Fma>
struct EigenCpuOf {
  static constexpr Memory memory = Memory::host;
  using Packets = tile::Packets<Lanes, Fma>;

  /// Inside recordings. Denormal moments cost Adam several times its work.
  bool flush_denormals = FlushDenormals::available;

  struct Storage {
    static constexpr int granule = Lanes;
    /// Columns under one packet are not padded; others end at a half packet.
    static constexpr int stride(int rows) {
      return rows < Lanes ? rows : core::round_up(rows, Packets::half_lanes);
    }
    static constexpr std::size_t activation_size(int rows, int columns) {
      return core::round_up(stride(rows) * columns, granule);
    }
    /// [In][Out], unless Out is under one packet: then [Out][In].
    static constexpr bool outputs_contiguous(int out, int) { return out >= Lanes; }
    /// A transposed copy of the weight, for dx.
    static constexpr std::size_t dense_scratch(int out, int in) {
      return outputs_contiguous(out, in) ? std::size_t(out) * stride(in) : 0;
    }
  };

  class Machine : public HostMachine {
   public:
    using Storage = EigenCpuOf::Storage;
    explicit Machine(EigenCpuOf settings) : flush_(settings.flush_denormals) {
      const FlushDenormals check(flush_);
    }
    static constexpr bool fuses(Fusion fusion) { return fusion == Fusion::dense; }

    void zero(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }

    /// A loop for each of several functors: what vectorises alone may not do so beside another.
    template <class F, class G>
    void for_each(std::int64_t n, Then<F, G> f) {
      for_each(n, f.first);
      for_each(n, f.second);
    }
    template <class F>
    void for_each(std::int64_t n, F f) {
      const auto each = prepared(f);
      if (!is_active(each)) return;
      for (std::int64_t i = 0; i < n; ++i) each(i);
    }

    struct PacketLane {
      using Value = typename Packets::Full;
      std::int64_t index;
      Value load(const float* from) const { return Value::load(from + index); }
      void store(float* to, Value value) const { value.store(to + index); }
    };
    /// The functor runs on packets, and on single floats for the rest.
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      const auto element = prepared(f);
      if (!is_active(element)) return;
      const std::int64_t whole = n / Lanes * Lanes;
      for (std::int64_t i = 0; i < whole; i += Lanes) element(PacketLane{i});
      for (std::int64_t i = whole; i < n; ++i) element(ScalarLane{i});
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      const auto each = prepared(f);
      if (!is_active(each)) return;
      for (std::int64_t i = 0; i < n; ++i) each(LaneTeam<Lanes>{}, i);
    }
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      using V = typename PacketLane::Value;
      const auto term = prepared(f);
      V part[4] = {V(0.f), V(0.f), V(0.f), V(0.f)};  // four chains hide an addition's latency
      const std::int64_t whole = n / (4 * Lanes) * (4 * Lanes);
      for (std::int64_t i = 0; i < whole; i += 4 * Lanes)
        for (int k = 0; k < 4; ++k) part[k] = part[k] + term(PacketLane{i + k * Lanes});
      float total = ((part[0] + part[1]) + (part[2] + part[3])).sum();
      for (std::int64_t i = whole; i < n; ++i) total += term(ScalarLane{i});
      *out = total;
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      map(out).noalias() = map(x) * map(y);
    }

    /// The callable itself, under the machine's rules for recordings.
    template <class F>
    class Recording {
     public:
      Recording(Machine& machine, F f) : machine_(&machine), f_(f) {}
      void operator()() {
        const RecordingScope scope(*machine_);
        const FlushDenormals flush(machine_->flush_);
        f_();
      }

     private:
      Machine* machine_;
      F f_;
    };
    template <class F>
    Recording<F> record(F f) {
      return {*this, f};
    }

    template <class Activation, class W, class X, class Y>
    void dense_forward(W w, const float* bias, X x, Y y) {
      if constexpr (outputs_contiguous<W>) {
        constexpr tile::ProductShape shape{.m = W::stride,
                                           .n = X::columns,
                                           .k = W::columns,
                                           .a_stride = W::stride,
                                           .b_n = X::stride,
                                           .b_k = 1,
                                           .c_stride = Y::stride};
        tile::product<Packets, shape>(w.data, x.data, tile::FromBias{bias}, y.data,
                                      tile::Activate<Activation>{});
      } else {
        for (int sample = 0; sample < X::columns; ++sample)
          for (int out = 0; out < W::rows; ++out)
            y(out, sample) = Activation::value(
                tile::dot<Packets, X::stride>(w.of.column(out), x.column(sample)) + bias[out]);
      }
    }

    template <class Below, class W, class X, class DY, class DW, class DX>
    void dense_backward(W w, X x, DY dy, DW dw, float* dbias, DX dx, float* scratch, bool again) {
      constexpr int In = X::rows, Out = DY::rows;
      if constexpr (outputs_contiguous<W>) {
        constexpr tile::ProductShape shape{.m = DY::stride,
                                           .n = In,
                                           .k = X::columns,
                                           .a_stride = DY::stride,
                                           .b_n = 1,
                                           .b_k = X::stride,
                                           .c_stride = DW::stride};
        tile::product<Packets, shape>(dy.data, x.data, tile::FromZero{}, dw.data,
                                      tile::Activate<math::Identity>{});
        tile::column_sum<Packets, DY::stride, DY::columns, DY::stride>(dy.data, dbias);
      } else {
        row_sums(dy, dbias);
        if constexpr (In >= Lanes) {
          constexpr tile::ProductShape shape{.m = X::stride,
                                             .n = Out,
                                             .k = X::columns,
                                             .a_stride = X::stride,
                                             .b_n = 1,
                                             .b_k = DY::stride,
                                             .c_stride = X::stride};
          tile::product<Packets, shape>(x.data, dy.data, tile::FromZero{}, dw.of.data,
                                        tile::Activate<math::Identity>{});
        } else {
          matmul(dy, transposed(x), dw);
        }
      }
      if constexpr (!std::is_same_v<DX, core::Absent>) pull<Below>(w, x, dy, dx, scratch, again);
    }

   private:
    template <class W>
    static constexpr bool outputs_contiguous = requires(W w) {
      w.data;
    };

    /// dx = wᵀ dy times the slope of Below, from a weight with inputs contiguous: where it stands
    /// the other way, from a transposed copy, which several batches share.
    template <class Below, class W, class X, class DY, class DX>
    void pull(W w, X x, DY dy, DX dx, float* scratch, bool again) {
      if constexpr (X::rows < Lanes) {
        for (int sample = 0; sample < X::columns; ++sample)
          for (int in = 0; in < X::rows; ++in) {
            float total = 0;
            for (int out = 0; out < DY::rows; ++out) total += w(out, in) * dy(out, sample);
            dx(in, sample) = Below::pull(x(in, sample), total);
          }
      } else {
        const float* inputs_contiguous;
        if constexpr (outputs_contiguous<W>) {
          if (!again)
            tile::transpose<Packets, X::rows, DY::rows, W::stride, X::stride>(w.data, scratch);
          inputs_contiguous = scratch;
        } else {
          inputs_contiguous = w.of.data;
        }
        constexpr tile::ProductShape shape{.m = X::stride,
                                           .n = X::columns,
                                           .k = DY::rows,
                                           .a_stride = X::stride,
                                           .b_n = DY::stride,
                                           .b_k = 1,
                                           .c_stride = DX::stride};
        tile::product<Packets, shape>(inputs_contiguous, dy.data, tile::FromZero{}, dx.data,
                                      tile::PullThrough<Below>{x.data, dx.data});
      }
    }
    /// Of a matrix whose columns are not padded: four samples side by side make four chains.
    template <class M>
    static void row_sums(M m, float* sums) {
      static_assert(M::stride == M::rows);
      constexpr int chains = 4, whole = M::columns / chains * chains;
      float part[chains * M::rows]{};
      for (int sample = 0; sample < whole; sample += chains)
        for (int i = 0; i < chains * M::rows; ++i) part[i] += m.column(sample)[i];
      for (int row = 0; row < M::rows; ++row) {
        sums[row] = 0;
        for (int chain = 0; chain < chains; ++chain) sums[row] += part[chain * M::rows + row];
        for (int sample = whole; sample < M::columns; ++sample) sums[row] += m(row, sample);
      }
    }

    template <class T, int R, int C, int S>
    static auto map(core::Matrix<T, R, C, S> m) {
      using Plain = Eigen::Matrix<float, R, C>;
      using Mapped = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;
      // Eigen's single row is one vector, so that its stride is an inner one.
      using Stride = std::conditional_t<R == 1, Eigen::InnerStride<S>, Eigen::OuterStride<S>>;
      return Eigen::Map<Mapped, Eigen::Unaligned, Stride>(m.data);
    }
    template <class M>
    static auto map(core::Transposed<M> m) {
      return map(m.of).transpose();
    }

    bool flush_;
  };
};

using EigenCpu = EigenCpuOf<Eigen::internal::packet_traits<float>::size, tile::has_fma>;

}  // namespace polyq::backend
