// SPDX-License-Identifier: MIT
// A backend written outside the library is one, broken ones are not, and all keep the promises.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <polyq/backend/concept.hpp>
#include <polyq/backend/host_machine.hpp>
#include <polyq/core/random.hpp>
#include <vector>

#include "backends.hpp"
#include "memory.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
using test::downloaded, test::uploaded;

namespace {

/// The exemplar: about the smallest backend that a user can write.
struct Loops {
  static constexpr backend::Memory memory = backend::Memory::host;

  struct Machine : backend::HostMachine {
    struct Storage {  // no pads, a weight is [Out][In]
      static constexpr int granule = 1;
      static constexpr int stride(int rows) { return rows; }
      static constexpr std::size_t activation_size(int rows, int columns) { return rows * columns; }
      static constexpr bool outputs_contiguous(int, int) { return false; }
      static constexpr std::size_t dense_scratch(int, int) { return 0; }
    };
    explicit Machine(Loops) {}
    static constexpr bool fuses(backend::Fusion) { return false; }

    void zero(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }
    template <class F>
    void for_each(std::int64_t n, F f) {
      run(n, f, [](const auto& each, std::int64_t i) { each(i); });
    }
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      run(n, f, [](const auto& each, std::int64_t i) { each(backend::ScalarLane{i}); });
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      run(n, f, [](const auto& each, std::int64_t i) { each(backend::SerialTeam{}, i); });
    }
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      *out = 0;
      run(n, f, [out](const auto& term, std::int64_t i) { *out += term(backend::ScalarLane{i}); });
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      for (int r = 0; r < Out::rows; ++r)
        for (int c = 0; c < Out::columns; ++c) {
          float total = 0;
          for (int k = 0; k < X::columns; ++k) total += x(r, k) * y(k, c);
          out(r, c) = total;
        }
    }
    template <class F>
    auto record(F f) {
      return [this, f] {
        const RecordingScope scope(*this);
        f();
      };
    }

   private:
    template <class F, class Call>
    void run(std::int64_t n, const F& f, Call call) {
      const auto each = backend::prepared(f);
      if (!backend::is_active(each)) return;
      for (std::int64_t i = 0; i < n; ++i) call(each, i);
    }
  };
};
static_assert(backend::Backend<Loops>);
static_assert(backend::Backend<backend::Reference>);
static_assert(backend::Backend<test::Fast>);

// Each lacks one thing; a name declared again hides the exemplar's.
struct WithoutSum {
  static constexpr backend::Memory memory = backend::Memory::host;
  struct Machine : Loops::Machine {
    explicit Machine(WithoutSum) : Loops::Machine(Loops{}) {}
    void sum();
  };
};
struct RecordsNothing {
  static constexpr backend::Memory memory = backend::Memory::host;
  struct Machine : Loops::Machine {
    explicit Machine(RecordsNothing) : Loops::Machine(Loops{}) {}
    template <class F>
    void record(F);
  };
};
struct WithoutScratch {
  static constexpr backend::Memory memory = backend::Memory::host;
  struct Machine : Loops::Machine {
    explicit Machine(WithoutScratch) : Loops::Machine(Loops{}) {}
    struct Storage : Loops::Machine::Storage {
      static void dense_scratch();
    };
  };
};
struct OfOtherSettings {
  static constexpr backend::Memory memory = backend::Memory::host;
  using Machine = Loops::Machine;
};
struct Nowhere {
  struct Machine : Loops::Machine {
    explicit Machine(Nowhere) : Loops::Machine(Loops{}) {}
  };
};
static_assert(!backend::Backend<WithoutSum>);
static_assert(!backend::Backend<RecordsNothing>);
static_assert(!backend::Backend<WithoutScratch>);
static_assert(!backend::Backend<OfOtherSettings>);
static_assert(!backend::Backend<Nowhere>);
static_assert(!backend::Backend<int>);

// Around a packet of 4, 8, 16 and around 32, and long.
constexpr int sizes[] = {1, 31, 32, 33, 1000};
constexpr int guards = 16;  // floats behind a span that nobody may touch

std::vector<float> numbered(int count) {
  std::vector<float> values(count);
  for (int i = 0; i < count; ++i) values[i] = float(i % 97);
  return values;
}

struct Count {
  std::int64_t* visits;
  POLYQ_HD void operator()(std::int64_t i) const { visits[i] += i + 1; }
};
/// values ← 2 · values + 1
struct Affine {
  float* values;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    using V = typename Lane::Value;
    i.store(values, V(2.f) * i.load(values) + V(1.f));
  }
};
/// to ← from · from
struct SquareInto {
  const float* from;
  float* to;
  template <class Lane>
  POLYQ_HD void operator()(Lane i) const {
    i.store(to, i.load(from) * i.load(from));
  }
};
/// values ← values + *step where *step is not 0, prepared from backend memory
struct AddStep {
  float* values;
  const float* step;
  struct Element {
    float* values;
    float step;
    bool active;
    template <class Lane>
    POLYQ_HD void operator()(Lane i) const {
      i.store(values, i.load(values) + typename Lane::Value(step));
    }
    POLYQ_HD void operator()(std::int64_t i) const { values[i] += step; }
  };
  POLYQ_HD Element prepare() const { return {values, *step, *step != 0}; }
};
/// Whatever runs, though it must not.
struct Inactive {
  float* values;
  static constexpr bool active = false;
  template <class Index>
  POLYQ_HD void operator()(Index) const {
    *values = -1;
  }
};
struct ValueOf {
  const float* values;
  template <class Lane>
  POLYQ_HD typename Lane::Value operator()(Lane i) const {
    return i.load(values);
  }
};
/// Per row of a row-major [rows, width]: its sum, its largest value, and each value negated.
struct RowFacts {
  const float* rows;
  int width;
  float *sums, *largest, *negated;

  struct At {
    const float* row;
    POLYQ_HD float operator()(int k) const { return row[k]; }
  };
  struct Negate {
    const float* row;
    float* to;
    POLYQ_HD void operator()(int k) const { to[k] = -row[k]; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t i) const {
    const float* row = rows + i * width;
    sums[i] = team.sum(width, At{row});
    largest[i] = team.max(width, At{row});
    team.for_each(width, Negate{row, negated + i * width});
  }
};

/// A view [R, C] stored by columns, or by rows, with a stride.
template <int R, int C, int S = R>
using ByColumns = core::Matrix<float, R, C, S>;
template <int R, int C, int S = C>
using ByRows = core::Transposed<core::Matrix<float, C, R, S>>;

template <class View>
View view_of(float* data) {
  if constexpr (requires { View::stride; }) {
    return View{data};
  } else {
    return View{{data}};
  }
}
/// A view's sizes and steps, as numbers.
struct Form {
  int rows, columns, row_step, column_step, floats;
};
template <class View>
constexpr Form form_of() {
  if constexpr (requires { View::stride; }) {
    return {View::rows, View::columns, 1, View::stride, View::stride * View::columns};
  } else {
    constexpr Form of = form_of<decltype(View::of)>();
    return {of.columns, of.rows, of.column_step, of.row_step, of.floats};
  }
}

/// Compares out = x y with a plain loop. All numbers are whole and small, so that every order of
/// summation is exact; what stands between the columns of out must stay.
template <class Machine>
void check_product(Machine& machine, Form in_x, Form in_y, Form in_out,
                   void (*multiply)(Machine&, float*, float*, float*)) {
  INFO("[", in_x.rows, ", ", in_x.columns, "] by [", in_y.rows, ", ", in_y.columns, "]");
  std::vector<float> x(in_x.floats), y(in_y.floats), out(in_out.floats, 1e9f);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(i * 5 % 17) - 8;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = float(i * 7 % 19) - 9;
  const auto device_x = uploaded(machine, x), device_y = uploaded(machine, y),
             device_out = uploaded(machine, out);
  multiply(machine, device_x.get(), device_y.get(), device_out.get());
  for (int r = 0; r < in_out.rows; ++r)
    for (int c = 0; c < in_out.columns; ++c) {
      float total = 0;
      for (int k = 0; k < in_x.columns; ++k)
        total += x[r * in_x.row_step + k * in_x.column_step] *
                 y[k * in_y.row_step + c * in_y.column_step];
      out[r * in_out.row_step + c * in_out.column_step] = total;
    }
  CHECK(downloaded(machine, device_out.get(), out.size()) == out);
}
template <class X, class Y, class Out, class Machine>
void check_product(Machine& machine) {
  check_product<Machine>(machine, form_of<X>(), form_of<Y>(), form_of<Out>(),
                         [](Machine& on, float* x, float* y, float* out) {
                           on.matmul(view_of<X>(x), view_of<Y>(y), view_of<Out>(out));
                         });
}

}  // namespace

TEST_CASE_TEMPLATE("for_each runs every index once", B, POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  for (const int n : {0, 1, 31, 32, 33, 1000}) {
    CAPTURE(n);
    const auto visits = uploaded(machine, std::vector<std::int64_t>(n + guards));
    machine.for_each(n, Count{visits.get()});
    std::vector<std::int64_t> expected(n + guards);
    for (int i = 0; i < n; ++i) expected[i] = i + 1;
    CHECK(downloaded(machine, visits.get(), n + guards) == expected);
  }
}

TEST_CASE_TEMPLATE("for_each_element runs every element once, whatever its lanes", B,
                   POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  for (const int n : sizes) {
    CAPTURE(n);
    std::vector<float> expected = numbered(n + guards);
    const auto values = uploaded(machine, expected);
    machine.for_each_element(n, Affine{values.get()});
    for (int i = 0; i < n; ++i) expected[i] = 2 * expected[i] + 1;
    CHECK(downloaded(machine, values.get(), n + guards) == expected);
  }
}

TEST_CASE_TEMPLATE("prepare reads backend memory at each run, and active skips", B, POLYQ_BACKENDS,
                   Loops) {
  typename B::Machine machine(B{});
  const auto values = uploaded(machine, numbered(33));
  const auto step = uploaded(machine, std::vector<float>{0});
  std::vector<float> expected = numbered(33);
  for (const float now : {3.f, 0.f, -1.f}) {
    machine.upload(step.get(), &now, 1);
    machine.for_each_element(33, AddStep{values.get(), step.get()});
    machine.for_each(32, AddStep{values.get(), step.get()});
    for (int i = 0; i < 33; ++i) expected[i] += i < 32 ? 2 * now : now;
    CHECK(downloaded(machine, values.get(), 33) == expected);
  }
  machine.for_each(33, Inactive{values.get()});
  machine.for_each_element(33, Inactive{values.get()});
  CHECK(downloaded(machine, values.get(), 33) == expected);
}

TEST_CASE_TEMPLATE("Then runs the second behind the first, each where it is active", B,
                   POLYQ_BACKENDS, Loops) {
  using backend::Then;
  typename B::Machine machine(B{});
  const auto values = uploaded(machine, numbered(33)), squares = uploaded(machine, numbered(33));
  const auto step = uploaded(machine, std::vector<float>{0});
  const AddStep add{values.get(), step.get()};
  const SquareInto square{values.get(), squares.get()};
  std::vector<float> value = numbered(33), squared(33);
  const auto check = [&](const char* what) {
    CAPTURE(what);
    for (int i = 0; i < 33; ++i) squared[i] = value[i] * value[i];
    CHECK(downloaded(machine, values.get(), 33) == value);
    CHECK(downloaded(machine, squares.get(), 33) == squared);
  };

  machine.for_each_element(33, Then{add, square});
  check("the first inactive");
  const float five = 5;
  machine.upload(step.get(), &five, 1);
  machine.for_each_element(33, Then{add, square});
  for (float& v : value) v += 5;
  check("both");
  machine.for_each_element(33, Then{square, add});
  machine.for_each_element(33, Then{square, Inactive{values.get()}});
  for (float& v : value) v += 5;
  check("the second inactive");
  machine.for_each_element(33, Then{Then{add, Affine{values.get()}}, square});
  for (float& v : value) v = 2 * (v + 5) + 1;
  check("nested");
  machine.for_each_element(33, Then{Inactive{values.get()}, Inactive{squares.get()}});
  check("neither");
  machine.for_each_element(33, Then{Then{add, backend::Nothing{}}, square});
  for (float& v : value) v += 5;
  check("nothing between");
}

TEST_CASE_TEMPLATE("a team's loop, sum and largest value", B, POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  constexpr int rows = 33;
  for (const int width : sizes) {
    CAPTURE(width);
    std::vector<float> table(rows * width), sums(rows), largest(rows, -1e9f), negated;
    for (int i = 0; i < rows * width; ++i) {
      table[i] = float(i * 7 % 101) - 150;  // negative: no maximum may start at 0
      sums[i / width] += table[i];          // whole numbers below 2^24: exact in any order
      largest[i / width] = std::max(largest[i / width], table[i]);
      negated.push_back(-table[i]);
    }
    const auto from = uploaded(machine, table), s = uploaded(machine, std::vector<float>(rows)),
               l = uploaded(machine, std::vector<float>(rows)),
               n = uploaded(machine, std::vector<float>(rows * width));
    machine.for_each_team(rows, RowFacts{from.get(), width, s.get(), l.get(), n.get()});
    CHECK(downloaded(machine, s.get(), rows) == sums);
    CHECK(downloaded(machine, l.get(), rows) == largest);
    CHECK(downloaded(machine, n.get(), rows * width) == negated);
  }
}

TEST_CASE_TEMPLATE("sum is near the true one, with the same bits twice", B, POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  for (const int n : {0, 1, 31, 32, 33, 1000, 17'776}) {
    CAPTURE(n);
    std::vector<float> values(n + guards, 1e9f);
    double exact = 0, sizes_of = 0;
    for (int i = 0; i < n; ++i) {
      const auto words = core::philox(1, core::Stream::noise, 0, i);
      values[i] = core::uniform(words.word[0]) - .25f;
      exact += values[i];
      sizes_of += std::abs(values[i]);
    }
    const auto from = uploaded(machine, values), out = uploaded(machine, std::vector<float>(3, 8));
    machine.sum(n, ValueOf{from.get()}, out.get());
    machine.sum(n, ValueOf{from.get()}, out.get() + 1);
    const std::vector<float> sums = downloaded(machine, out.get(), 3);
    CHECK(sums[0] == sums[1]);
    CHECK(sums[2] == 8);
    // n - 1 additions in whatever order, each rounding by at most 2^-24 of a partial sum, which
    // is below the sum of sizes.
    CHECK(std::abs(sums[0] - exact) <= n * 0x1p-24 * sizes_of);
  }
}

TEST_CASE_TEMPLATE("upload, zero and download move exactly what is asked", B, POLYQ_BACKENDS,
                   Loops) {
  typename B::Machine machine(B{});
  const auto memory = uploaded(machine, numbered(10));
  machine.zero(memory.get() + 3, 4 * sizeof(float));
  const std::vector<float> two{-1, -2, -3};
  machine.upload(memory.get() + 8, two.data(), 2);
  std::vector<float> read(12, 77);
  machine.download(read.data() + 1, memory.get(), 10);
  CHECK(read == std::vector<float>{77, 0, 1, 2, 0, 0, 0, 0, 7, -1, -2, 77});
  machine.synchronize();
}

TEST_CASE_TEMPLATE("matmul of every transposition, with strides", B, POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  using X = core::Matrix<const float, 3, 4, 5>;
  using TurnedX = ByRows<3, 4, 6>;
  using Y = ByColumns<4, 5, 7>;
  using TurnedY = ByRows<4, 5, 8>;
  using Out = ByColumns<3, 5, 4>;
  using TurnedOut = ByRows<3, 5, 9>;
  check_product<X, Y, Out>(machine);
  check_product<X, TurnedY, Out>(machine);
  check_product<TurnedX, Y, Out>(machine);
  check_product<TurnedX, TurnedY, Out>(machine);
  check_product<X, Y, TurnedOut>(machine);
  check_product<X, TurnedY, TurnedOut>(machine);
  check_product<TurnedX, Y, TurnedOut>(machine);
  check_product<TurnedX, TurnedY, TurnedOut>(machine);
}

TEST_CASE_TEMPLATE("matmul of single rows and columns, with strides", B, POLYQ_BACKENDS, Loops) {
  typename B::Machine machine(B{});
  check_product<ByColumns<1, 6, 3>, ByColumns<6, 5, 8>, ByColumns<1, 5, 2>>(machine);
  check_product<ByColumns<5, 1, 8>, ByColumns<1, 7, 3>, ByColumns<5, 7, 8>>(machine);
  check_product<ByColumns<5, 6>, ByRows<6, 1, 4>, ByRows<5, 1, 4>>(machine);
}
