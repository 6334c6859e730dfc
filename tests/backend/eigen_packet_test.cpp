// SPDX-License-Identifier: MIT
// A packet's operators and functions give, lane by lane, what floats give.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <polyq/backend/eigen_packet.hpp>
#include <polyq/core/random.hpp>
#include <polyq/math/activation.hpp>
#include <type_traits>

namespace core = polyq::core;
namespace tile = polyq::backend::tile;

namespace {

constexpr int native = Eigen::internal::packet_traits<float>::size;
using Packets = tile::Packets<native, tile::has_fma>;
using Full = Packets::Full;
using Half = Packets::Half;

static_assert(Full::lanes == native && Packets::lanes == native);
static_assert(Half::lanes == Packets::half_lanes && native % Half::lanes == 0);
// Objects compiled for different processors never share a name.
static_assert(!std::is_same_v<tile::Pack<4, true>, tile::Pack<4, false>>);
static_assert(std::is_trivially_copyable_v<Full> && sizeof(Full) == native * sizeof(float));

template <class Pack>
using Floats = std::array<float, Pack::lanes>;

/// Numbers in ±8, none of them 0.
template <class Pack>
Floats<Pack> numbers(std::uint32_t salt) {
  Floats<Pack> values;
  for (int i = 0; i < Pack::lanes; ++i)
    values[i] = 16 * core::uniform(core::philox(1, core::Stream::noise, salt, i).word[0]) - 7.999f;
  return values;
}
template <class Pack>
Floats<Pack> stored(Pack pack) {
  Floats<Pack> values;
  pack.store(values.data());
  return values;
}

}  // namespace

TEST_CASE_TEMPLATE("arithmetic rounds as floats do", Pack, Full, Half) {
  for (std::uint32_t salt = 0; salt < 100; ++salt) {
    const Floats<Pack> a = numbers<Pack>(salt), b = numbers<Pack>(salt + 1000);
    const Pack x = Pack::load(a.data()), y = Pack::load(b.data());
    const Floats<Pack> sum = stored(x + y), difference = stored(x - y), product = stored(x * y),
                       quotient = stored(x / y), larger = stored(maximum(x, y));
    for (int i = 0; i < Pack::lanes; ++i) {
      CHECK(sum[i] == a[i] + b[i]);
      CHECK(difference[i] == a[i] - b[i]);
      CHECK(product[i] == a[i] * b[i]);
      CHECK(quotient[i] == a[i] / b[i]);
      CHECK(larger[i] == std::max(a[i], b[i]));
    }
  }
}

TEST_CASE_TEMPLATE("square_root of 0 is 0, and of others right in 21 bits", Pack, Full, Half) {
  // Eigen refines the processor's estimate of 1/√x, whose error is at most e = 1.5 · 2^-12, by one
  // step of Newton: 1.5 e² = 2.0e-7, and three roundings of 6e-8.
  for (const float zero : stored(square_root(Pack(0.f)))) CHECK(zero == 0);
  double worst = 0;
  for (std::uint32_t salt = 0; salt < 1000; ++salt) {
    Floats<Pack> squares = numbers<Pack>(salt);
    for (float& value : squares) value *= value * (salt % 2 == 0 ? 1 : 1e-20f);
    const Floats<Pack> roots = stored(square_root(Pack::load(squares.data())));
    for (int i = 0; i < Pack::lanes; ++i)
      worst = std::max(worst, std::abs(roots[i] / std::sqrt(double(squares[i])) - 1));
  }
  CHECK(worst <= 3.8e-7);
}

TEST_CASE_TEMPLATE("multiply_add rounds once where the processor can, else twice", Pack, Full,
                   Half) {
  // (1 + 2^-12)^2 - (1 + 2^-11) = 2^-24, which the product's own rounding loses.
  const Pack x(1 + 0x1p-12f), minus(-(1 + 0x1p-11f));
  const float expected = tile::has_fma ? 0x1p-24f : 0.f;
  for (const float value : stored(multiply_add(x, x, minus))) CHECK(value == expected);
}

TEST_CASE_TEMPLATE("where_positive keeps a value where its test is above 0", Pack, Full, Half) {
  const Pack value(3.f);
  for (const float kept : stored(where_positive(Pack(1e-30f), value))) CHECK(kept == 3);
  for (const float test : {0.f, -0.f, -1e-30f, -5.f})
    for (const float dropped : stored(where_positive(Pack(test), value))) CHECK(dropped == 0);
  Floats<Pack> mixed;
  for (int i = 0; i < Pack::lanes; ++i) mixed[i] = i % 3 == 0 ? 1.f : -1.f;
  const Floats<Pack> chosen = stored(where_positive(Pack::load(mixed.data()), value));
  for (int i = 0; i < Pack::lanes; ++i) CHECK(chosen[i] == (i % 3 == 0 ? 3 : 0));
}

TEST_CASE_TEMPLATE("loads and stores need no alignment and touch nothing beside", Pack, Full,
                   Half) {
  constexpr int lanes = Pack::lanes;
  std::array<float, lanes + 3> from, to;
  for (int i = 0; i < lanes + 3; ++i) from[i] = float(i);
  for (int offset = 0; offset < 3; ++offset) {
    to.fill(-1);
    Pack::load(from.data() + offset).store(to.data() + 1);
    for (int i = 0; i < lanes + 3; ++i)
      CHECK(to[i] == (i >= 1 && i <= lanes ? float(i - 1 + offset) : -1));
  }
}

TEST_CASE_TEMPLATE("sum adds all lanes, a broadcast fills them", Pack, Full, Half) {
  Floats<Pack> values;
  for (int i = 0; i < Pack::lanes; ++i) values[i] = float(1 << i);
  CHECK(Pack::load(values.data()).sum() == float((1 << Pack::lanes) - 1));  // exact in 24 bits
  for (const float value : stored(Pack(2.5f))) CHECK(value == 2.5f);
}

TEST_CASE_TEMPLATE("ReLU of NaN is NaN in every lane", Pack, Full, Half) {
  const Pack nothing(std::numeric_limits<float>::quiet_NaN());
  for (const float value : stored(polyq::math::Relu::value(nothing))) CHECK(std::isnan(value));
}

TEST_CASE("the low half of a packet is its first lanes") {
  const Floats<Full> a = numbers<Full>(7);
  const Floats<Half> half = stored(Packets::low_half(Full::load(a.data())));
  for (int i = 0; i < Half::lanes; ++i) CHECK(half[i] == a[i]);
}
