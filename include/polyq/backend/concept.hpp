// SPDX-License-Identifier: MIT
// Backend: a settings value whose nested Machine runs functors, multiplies matrices, owns memory
// and records. The promises of each primitive stand in docs/reference/backend.md.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "polyq/core/config.hpp"
#include "polyq/core/matrix.hpp"

namespace polyq::backend {

enum class Memory { host, device };

/// Places where one pass beats several primitives; a backend claims them in Machine::fuses.
enum class Fusion { dense };

/// What a backend runs for a functor: f.prepare() where f has one, else f itself. prepare reads
/// backend memory once, so that a host loop keeps step-dependent numbers in registers; a device
/// calls it in every thread. It may not read what any index of the same functor writes.
template <class F>
POLYQ_HD auto prepared(const F& f) {
  if constexpr (requires { f.prepare(); }) {
    return f.prepare();
  } else {
    return f;
  }
}

/// Whether a prepared functor has anything to do now; one with `active == false` is skipped.
template <class E>
POLYQ_HD bool is_active(const E& each) {
  if constexpr (requires { each.active; }) {
    return each.active;
  } else {
    return true;
  }
}

/// Two functors at the same index, the second after the first, in one launch on a device. The
/// second may read what the first wrote at its own index, never another's, and not in its prepare.
template <class F, class G>
struct Then {
  F first;
  G second;
  struct Both {
    decltype(prepared(std::declval<const F&>())) first;
    decltype(prepared(std::declval<const G&>())) second;
    bool active;
    template <class Index>
    POLYQ_HD void operator()(Index i) const {
      if (is_active(first)) first(i);
      if (is_active(second)) second(i);
    }
  };
  POLYQ_HD Both prepare() const {
    const auto f = prepared(first);
    const auto g = prepared(second);
    return {f, g, is_active(f) || is_active(g)};
  }
};
template <class F, class G>
Then(F, G) -> Then<F, G>;

/// Stands behind an element or an index where nothing follows.
struct Nothing {
  static constexpr bool active = false;
  template <class Index>
  POLYQ_HD void operator()(Index) const {}
};

/// The argument of an element functor where one float is computed at a time. A backend may bring a
/// lane of many floats.
struct ScalarLane {
  using Value = float;
  std::int64_t index;
  POLYQ_HD float load(const float* from) const { return from[index]; }
  POLYQ_HD void store(float* to, float value) const { to[index] = value; }
};

/// Copies a span, over any lane of values.
struct CopyElement {
  float* to;
  const float* from;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(to, i.load(from));
  }
};

/// One worker that does a whole team's work, in order: the team of a host.
struct SerialTeam {
  template <class F>
  POLYQ_HD void for_each(int width, F f) const {
    for (int k = 0; k < width; ++k) f(k);
  }
  template <class F>
  POLYQ_HD float sum(int width, F f) const {
    float total = 0;
    for (int k = 0; k < width; ++k) total += f(k);
    return total;
  }
  template <class F>
  POLYQ_HD float max(int width, F f) const {
    float largest = f(0);
    for (int k = 1; k < width; ++k) largest = f(k) > largest ? f(k) : largest;
    return largest;
  }
};

/// What the concept is asked with.
namespace probe {
struct Each {
  POLYQ_HD void operator()(std::int64_t) const {}
};
struct Element {
  template <class Lane>
  POLYQ_HD void operator()(Lane) const {}
};
struct Term {
  template <class Lane>
  POLYQ_HD typename Lane::Value operator()(Lane) const {
    return typename Lane::Value(0.f);
  }
};
struct TeamEach {
  template <class Team>
  POLYQ_HD void operator()(const Team&, std::int64_t) const {}
};
struct Cycle {
  void operator()() const {}
};
}  // namespace probe

/// Where a backend puts things: the stride of an activation's column, the size of a whole one, the
/// order of a weight [Out, In], the rounding of a block, the scratch of a dense layer's backward.
template <class S>
concept Storage = requires {
  { S::granule } -> std::convertible_to<int>;
  { S::stride(1) } -> std::same_as<int>;
  { S::activation_size(1, 1) } -> std::same_as<std::size_t>;
  { S::outputs_contiguous(1, 1) } -> std::same_as<bool>;
  { S::dense_scratch(1, 1) } -> std::same_as<std::size_t>;
};

template <class M>
concept MachineOf = Storage<typename M::Storage> &&
    requires(M& m, float* p, const float* q, core::Matrix<const float, 2, 3> w,
             core::Matrix<const float, 3, 4> x, core::Matrix<float, 2, 4> y) {
  { M::fuses(Fusion::dense) } -> std::same_as<bool>;
  {
    m.template allocate<float>(std::size_t{}, "what for")
    } -> std::same_as<typename M::template Owned<float>>;
  m.zero(p, std::size_t{});
  m.upload(p, q, std::size_t{});
  m.download(p, q, std::size_t{});
  m.for_each(std::int64_t{}, probe::Each{});
  m.for_each_element(std::int64_t{}, probe::Element{});
  m.for_each_team(std::int64_t{}, probe::TeamEach{});
  m.sum(std::int64_t{}, probe::Term{}, p);
  m.matmul(w, x, y);
  { m.record(probe::Cycle{}) } -> std::invocable;
  m.synchronize();
};

template <class B>
concept Backend = requires {
  { B::memory } -> std::convertible_to<Memory>;
  typename B::Machine;
}
&&std::is_constructible_v<typename B::Machine, B>&& MachineOf<typename B::Machine>;

/// The stored form of a weight [Out, In]: an element is w(out, in) in either order.
template <class Storage, class T, int Out, int In>
using Weight = std::conditional_t<Storage::outputs_contiguous(Out, In),
                                  core::Matrix<T, Out, In, Storage::stride(Out)>,
                                  core::Transposed<core::Matrix<T, In, Out, Storage::stride(In)>>>;

/// An activation [Rows, Columns], one column per sample.
template <class Storage, class T, int Rows, int Columns>
using Activations = core::Matrix<T, Rows, Columns, Storage::stride(Rows)>;

}  // namespace polyq::backend
