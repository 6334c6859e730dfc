// SPDX-License-Identifier: MIT
// How benchmarks measure: CPU seconds, medians, programs run alternately, the core's FMA peak.
#pragma once
#include <algorithm>
#include <cstddef>
#include <ctime>
#include <vector>

#include "packet.hpp"

namespace bench {

/// CPU seconds of this process, all threads together: steadier than wall time on a shared machine.
inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Of at least one value; of an even count, the mean of the middle two.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// CPU microseconds of one call, as the mean of `inner` calls in a row.
template <class Function>
double microseconds_per_call(Function&& function, int inner) {
  const double start = cpu_seconds();
  for (int call = 0; call < inner; ++call) function();
  return (cpu_seconds() - start) * 1e6 / inner;
}

/// CPU microseconds per call of two programs, and what `first / second` was in the same moment.
struct PairTimes {
  double first_median;
  double second_median;
  double first_minimum;
  double second_minimum;
  double ratio_median;
};

/// Runs `first` and `second` alternately, `pairs` times with `inner` calls each. The clock rate and
/// the neighbours of a core drift over seconds: they move both halves of a pair alike, hence the
/// median of the ratios is steadier than the ratio of the medians.
template <class First, class Second>
PairTimes interleaved(First&& first, Second&& second, int pairs, int inner) {
  microseconds_per_call(first, inner);  // caches, page faults and the clock rate settle
  microseconds_per_call(second, inner);
  std::vector<double> first_times;
  std::vector<double> second_times;
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    first_times.push_back(microseconds_per_call(first, inner));
    second_times.push_back(microseconds_per_call(second, inner));
    ratios.push_back(first_times.back() / second_times.back());
  }
  return {.first_median = median(first_times),
          .second_median = median(second_times),
          .first_minimum = *std::min_element(first_times.begin(), first_times.end()),
          .second_minimum = *std::min_element(second_times.begin(), second_times.end()),
          .ratio_median = median(ratios)};
}

/// GFLOP/s of multiply-adds in registers, over about 4 ms: the bound of every dense product on one
/// core of this machine at this moment. Not inlined: g++ spills the chains in a large caller.
[[gnu::noinline]] inline double fma_peak_gflops() {
  using peers::Packet;
  // Latency times width is at most 10 on the cores of the last ten years (5 cycles, 2 a cycle on
  // Haswell); 14 chains and their two constants still fit 16 registers.
  constexpr int chains = 14;
  constexpr int steps = 10'000;
  // Volatile, because a compiler may otherwise see that nobody reads the sum, and drop the chains.
  volatile float seed = 1;
  const auto run_chains = [&seed] {
    Packet chain[chains];
    for (int c = 0; c < chains; ++c) chain[c] = Packet::all(seed + static_cast<float>(c));
    const Packet scale = Packet::all(0.999f);
    const Packet shift = Packet::all(0.001f);
    for (int step = 0; step < steps; ++step) {
#pragma GCC unroll 14
      for (int c = 0; c < chains; ++c) {
        // A fused chain runs through the addend, as in a product. Two instructions must chain
        // through the factor, else the compiler takes their multiplication out of the loop.
        chain[c] = peers::has_fused_multiply_add ? multiply_add(scale, shift, chain[c])
                                                 : multiply_add(chain[c], scale, shift);
      }
    }
    Packet total = chain[0];
    for (int c = 1; c < chains; ++c) total = total + chain[c];
    seed = sum(total) * 1e-3f;
  };
  constexpr int inner = 100;
  return 2e-3 * chains * peers::lanes * steps / microseconds_per_call(run_chains, inner);
}

}  // namespace bench
