// SPDX-License-Identifier: MIT
// Tile products, column sums, transposes and dots equal plain loops for whole and broken sizes.
#include <doctest/doctest.h>

#include <algorithm>
#include <polyq/backend/eigen_tile.hpp>
#include <polyq/math/activation.hpp>
#include <vector>

namespace math = polyq::math;
namespace tile = polyq::backend::tile;

namespace {

using Native = tile::Packets<Eigen::internal::packet_traits<float>::size, tile::has_fma>;
/// The next narrower packets, or the same where there are none.
using Narrow = tile::Packets<Native::half_lanes, tile::has_fma>;

constexpr float untouched = 1e9f;

/// Whole numbers in ±7: sums of up to 10^5 products are exact in any order, with or without FMA.
std::vector<float> whole(std::size_t count, int salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = float((i * 7 + salt * 5) % 15) - 7;
  return values;
}

/// A product [k][m] by b(n, k), m in half packets; b has its samples apart, or its k.
template <class P>
constexpr tile::ProductShape shape(int halves, int n, int k, bool samples_apart, int pads = 3) {
  const int m = halves * P::half_lanes;
  return {.m = m,
          .n = n,
          .k = k,
          .a_stride = m + pads,
          .b_n = samples_apart ? k + pads : 1,
          .b_k = samples_apart ? 1 : n + pads,
          .c_stride = m + 2 * pads};
}

/// C, its pads and what stands behind it, as a plain loop leaves them; start(m), end(sum, m, n).
template <tile::ProductShape Shape, class Start, class End>
std::vector<float> plain(const std::vector<float>& a, const std::vector<float>& b,
                         std::vector<float> c, Start start, End end) {
  for (int n = 0; n < Shape.n; ++n)
    for (int m = 0; m < Shape.m; ++m) {
      double sum = start(m);
      for (int k = 0; k < Shape.k; ++k)
        sum += double(a[k * Shape.a_stride + m]) * b[n * Shape.b_n + k * Shape.b_k];
      c[n * Shape.c_stride + m] = end(float(sum), m, n);
    }
  return c;
}

template <tile::ProductShape Shape>
struct Operands {
  // Not a float more than the product may read.
  std::vector<float> a = whole((Shape.k - 1) * Shape.a_stride + Shape.m, 1);
  std::vector<float> b = whole((Shape.n - 1) * Shape.b_n + (Shape.k - 1) * Shape.b_k + 1, 2);
  std::vector<float> c = std::vector<float>(Shape.n * Shape.c_stride, untouched);
};

template <class P, tile::ProductShape Shape>
void check_product() {
  INFO("m ", Shape.m, ", n ", Shape.n, ", k ", Shape.k, ", lanes ", P::lanes);
  Operands<Shape> data;
  const auto expected = plain<Shape>(
      data.a, data.b, data.c, [](int) { return 0; }, [](float sum, int, int) { return sum; });
  tile::product<P, Shape>(data.a.data(), data.b.data(), tile::FromZero{}, data.c.data(),
                          tile::Activate<math::Identity>{});
  CHECK(data.c == expected);
}

template <class P, int M, int N, int Stride>
void check_column_sum() {
  INFO("[", N, "][", M, "]");
  const std::vector<float> x = whole((N - 1) * Stride + M, 3);
  std::vector<float> out(M + 1, untouched), expected(M + 1, untouched);
  for (int m = 0; m < M; ++m) {
    expected[m] = 0;
    for (int n = 0; n < N; ++n) expected[m] += x[n * Stride + m];
  }
  tile::column_sum<P, M, N, Stride>(x.data(), out.data());
  CHECK(out == expected);
}

template <class P, int Rows, int Columns, int FromStride, int ToStride>
void check_transpose() {
  static_assert(Columns <= FromStride && Rows <= ToStride);
  INFO("[", Rows, "][", Columns, "] in strides of ", FromStride, " and ", ToStride);
  std::vector<float> from((Rows - 1) * FromStride + Columns);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = float(i + 1);
  std::vector<float> to(Columns * ToStride + 1, untouched), expected = to;
  for (int c = 0; c < Columns; ++c)
    for (int r = 0; r < ToStride; ++r)
      expected[c * ToStride + r] = r < Rows ? from[r * FromStride + c] : 0;
  tile::transpose<P, Rows, Columns, FromStride, ToStride>(from.data(), to.data());
  CHECK(to == expected);
}

template <class P, int N>
void check_dot() {
  CAPTURE(N);
  const std::vector<float> a = whole(N, 4), b = whole(N, 6);
  float expected = 0;
  for (int i = 0; i < N; ++i) expected += a[i] * b[i];
  CHECK(tile::dot<P, N>(a.data(), b.data()) == expected);
}

}  // namespace

TEST_CASE_TEMPLATE("products of few and many samples, with a tail of half a packet and without", P,
                   Native, Narrow) {
  check_product<P, shape<P>(1, 1, 1, true, 0)>();
  check_product<P, shape<P>(1, 13, 3, false)>();
  check_product<P, shape<P>(2, 12, 17, true)>();
  check_product<P, shape<P>(3, 1, 5, true)>();
  check_product<P, shape<P>(4, 31, 2, false)>();
  check_product<P, shape<P>(9, 5, 64, true)>();
  check_product<P, shape<P>(11, 13, 1, false, 0)>();
}

TEST_CASE("products of one sample take wide strips, those of many narrow ones") {
  using P = Native;
  check_product<P, shape<P>(16, 1, 3, true)>();
  check_product<P, shape<P>(33, 1, 3, false)>();
  check_product<P, shape<P>(17, 25, 3, false)>();
  check_product<P, shape<P>(7, 24, 4, true, 0)>();
}

TEST_CASE_TEMPLATE("a sum starts from a bias and ends in an activation", P, Native, Narrow) {
  constexpr tile::ProductShape Shape = shape<P>(11, 7, 3, true);
  Operands<Shape> data;
  const std::vector<float> bias = whole(Shape.m, 5);
  const auto expected = plain<Shape>(
      data.a, data.b, data.c, [&](int m) { return bias[m]; },
      [](float sum, int, int) { return std::max(sum, 0.f); });
  tile::product<P, Shape>(data.a.data(), data.b.data(), tile::FromBias{bias.data()}, data.c.data(),
                          tile::Activate<math::Relu>{});
  CHECK(data.c == expected);
}

TEST_CASE_TEMPLATE("a sum ends in the slope of an activation whose output lies as C does", P,
                   Native, Narrow) {
  constexpr tile::ProductShape Shape = shape<P>(11, 7, 3, true);
  Operands<Shape> data;
  std::vector<float> x = whole(data.c.size(), 6);
  for (float& value : x) value /= 8;  // slopes 1 - x² of a few bits: exact
  const auto expected = plain<Shape>(
      data.a, data.b, data.c, [](int) { return 0; },
      [&](float sum, int m, int n) { return math::Tanh::pull(x[n * Shape.c_stride + m], sum); });
  tile::product<P, Shape>(data.a.data(), data.b.data(), tile::FromZero{}, data.c.data(),
                          tile::PullThrough<math::Tanh>{x.data(), data.c.data()});
  CHECK(data.c == expected);
}

TEST_CASE_TEMPLATE("column sums", P, Native, Narrow) {
  constexpr int L = P::lanes, H = P::half_lanes;
  check_column_sum<P, H, 1, H>();
  check_column_sum<P, L, 5, L + 3>();
  check_column_sum<P, 3 * L, 2, 3 * L>();
  check_column_sum<P, 4 * L, 64, 4 * L>();
  check_column_sum<P, 9 * L + (L == H ? 0 : H), 7, 10 * L>();
}

TEST_CASE_TEMPLATE("transposes, the pads of the target zero", P, Native, Narrow) {
  constexpr int L = P::lanes, H = P::half_lanes;
  check_transpose<P, 1, 1, 1, 1>();
  check_transpose<P, 3, 2, 4, 5>();
  check_transpose<P, H, H, H, H>();
  check_transpose<P, L, L, L, L + H>();
  check_transpose<P, 2 * L, L + H, 2 * L, 2 * L>();
  check_transpose<P, L + H, 2 * L, 2 * L, 2 * L>();
  check_transpose<P, L + H + 3, 2 * L + H + 1, 4 * L, 3 * L>();
  check_transpose<P, L - 1, 3 * L + 5, 5 * L, L>();
  check_transpose<P, 3 * L + 5, L - 1, L - 1, 5 * L>();
}

TEST_CASE_TEMPLATE("dots", P, Native, Narrow) {
  constexpr int L = P::lanes, H = P::half_lanes;
  check_dot<P, 1>();
  check_dot<P, L - 1>();
  check_dot<P, L>();
  check_dot<P, L + H>();
  check_dot<P, 2 * L>();
  check_dot<P, 7 * L + H>();
}
