// SPDX-License-Identifier: MIT
// EigenCpu pads as promised, runs packets and a rest, records the callable, flushes denormals.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <polyq/backend/eigen_cpu.hpp>
#include <type_traits>
#include <vector>

namespace backend = polyq::backend;
namespace core = polyq::core;
using backend::EigenCpu;
using Machine = EigenCpu::Machine;

namespace {

constexpr int lanes = EigenCpu::Packets::lanes, half_lanes = EigenCpu::Packets::half_lanes;

// Width and FMA are in the type: two objects compiled with different flags cannot be mixed up.
static_assert(!std::is_same_v<backend::EigenCpuOf<4, false>, backend::EigenCpuOf<4, true>>);
static_assert(!std::is_same_v<backend::EigenCpuOf<4, false>, backend::EigenCpuOf<8, false>>);
static_assert(Machine::fuses(backend::Fusion::dense));

/// The width of the lane that came by, at its first index.
struct WidthOfLane {
  float* widths;
  template <class Lane>
  void operator()(Lane i) const {
    widths[i.index] = float(sizeof(typename Lane::Value) / sizeof(float));
  }
};

struct Add {
  float* out;
  float value;
  void operator()(std::int64_t) const { *out += value; }
};
struct Frozen {
  Machine* machine;
  float* out;
  const float* host;
  void operator()() const { machine->for_each(1, Add{out, *host}); }
};

/// values ← values / 2
struct Halve {
  float* values;
  template <class Lane>
  void operator()(Lane i) const {
    i.store(values, i.load(values) * typename Lane::Value(.5f));
  }
};
struct HalveAll {
  Machine* machine;
  float* values;
  void operator()() const { machine->for_each_element(lanes + 1, Halve{values}); }
};

/// Whether halves of the smallest normal number are zero, in packets and in floats.
template <class Run>
bool flushes(std::vector<float>& values, Run run) {
  values.assign(lanes + 1, std::numeric_limits<float>::min());
  run();
  for (const float value : values) CHECK((value == 0) == (values[0] == 0));
  return values[0] == 0;
}

}  // namespace

TEST_CASE_TEMPLATE("columns below a packet are not padded, others end at half a packet", B,
                   EigenCpu, backend::EigenCpuOf<half_lanes, backend::tile::has_fma>) {
  using Storage = typename B::Storage;
  constexpr int full = B::Packets::lanes, part = B::Packets::half_lanes;
  static_assert(Storage::granule == full);
  for (int rows = 1; rows < 200; ++rows) {
    const int stride = Storage::stride(rows);
    CAPTURE(rows);
    if (rows < full) {
      CHECK(stride == rows);
    } else {
      CHECK(stride >= rows);
      CHECK(stride - rows < part);
      CHECK(stride % part == 0);
    }
    for (const int columns : {1, 2, 7, 64}) {
      const std::size_t size = Storage::activation_size(rows, columns);
      CHECK(size % full == 0);
      CHECK(size >= std::size_t(stride * columns));
      CHECK(size < std::size_t(stride * columns + full));
    }
    CHECK(Storage::outputs_contiguous(rows, 3) == (rows >= full));
    const std::size_t turned = rows >= full ? std::size_t(rows) * Storage::stride(33) : 0;
    CHECK(Storage::dense_scratch(rows, 33) == turned);
  }
}

TEST_CASE("a weight of many outputs is [In][Out], one of few [Out][In]") {
  using Many = backend::Weight<EigenCpu::Storage, float, lanes + 1, 3>;
  using Few = backend::Weight<EigenCpu::Storage, float, 2, lanes + 1>;
  static_assert(Many::rows == lanes + 1 && Many::columns == 3 &&
                Many::stride == lanes + half_lanes);
  static_assert(Few::rows == 2 && Few::columns == lanes + 1);
  static_assert(decltype(Few::of)::stride == lanes + half_lanes);
}

TEST_CASE("elements come in whole packets, the rest one by one") {
  Machine machine(EigenCpu{});
  for (const int n : {1, lanes - 1, lanes, lanes + 1, 3 * lanes + 5}) {
    CAPTURE(n);
    std::vector<float> widths(n), expected(n);
    machine.for_each_element(n, WidthOfLane{widths.data()});
    for (int i = 0; i < n; ++i)
      expected[i] = i >= n / lanes * lanes ? 1.f : i % lanes == 0 ? float(lanes) : 0.f;
    CHECK(widths == expected);
  }
}

TEST_CASE("a recording is the callable itself: host numbers are read at every call") {
  Machine machine(EigenCpu{});
  float out = 0, host = 1;
  auto cycle = machine.record(Frozen{&machine, &out, &host});
  for (host = 1; host < 1000; host *= 10) cycle();
  CHECK(out == 111);
}

TEST_CASE("denormals are flushed inside recordings only, where the setting says so" *
          doctest::skip(!backend::FlushDenormals::available)) {
  std::vector<float> values(lanes + 1);
  for (const bool setting : {true, false}) {
    CAPTURE(setting);
    Machine machine(EigenCpu{.flush_denormals = setting});
    const HalveAll halve{&machine, values.data()};
    auto cycle = machine.record(halve);
    CHECK(flushes(values, cycle) == setting);
    CHECK(!flushes(values, halve));
    CHECK(flushes(values, cycle) == setting);
  }
  CHECK(EigenCpu{}.flush_denormals);
}

TEST_CASE("products beyond a packet leave the pads of their result alone") {
  // Whole numbers below 2^24 / 40 / 81, so that any order of summation is exact.
  using X = core::Matrix<float, 33, 40, 36>;
  using Y = core::Transposed<core::Matrix<float, 17, 40, 20>>;
  using Out = core::Matrix<float, 33, 17, 36>;
  std::vector<float> x(36 * 40), y(20 * 40), out(36 * 17, 1e9f), expected = out;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(i * 5 % 17) - 8;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = float(i * 7 % 19) - 9;
  for (int r = 0; r < 33; ++r)
    for (int c = 0; c < 17; ++c) {
      float total = 0;
      for (int k = 0; k < 40; ++k) total += X{x.data()}(r, k) * Y{{y.data()}}(k, c);
      Out{expected.data()}(r, c) = total;
    }
  Machine machine(EigenCpu{});
  machine.matmul(X{x.data()}, Y{{y.data()}}, Out{out.data()});
  CHECK(out == expected);
}
