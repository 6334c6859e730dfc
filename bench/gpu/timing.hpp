// SPDX-License-Identifier: MIT
// What GPU benchmarks measure, by the wall's clock: from an idle device to an idle device, and what
// the host took to enqueue.
#pragma once
#include <algorithm>
#include <chrono>
#include <polyq/backend/cuda_runtime.hpp>
#include <vector>

namespace bench {

/// Of one call, in a row of `calls`: time on the device, and time that the host took to enqueue.
struct GpuTimes {
  double device_us, enqueue_us;
};

/// The median of 15 rows on the stream that the machine alone uses: from an idle device to an idle
/// device, so that the first launch's latency is in it, divided by `calls`.
template <class Machine, class Call>
GpuTimes gpu_times(Machine& machine, int calls, Call call) {
  using Clock = std::chrono::steady_clock;
  const auto microseconds = [](Clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count();
  };
  for (int warm = 0; warm < 3; ++warm) call();
  machine.synchronize();
  std::vector<double> device, enqueue;
  for (int row = 0; row < 15; ++row) {
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    const auto enqueued = Clock::now();
    machine.synchronize();
    enqueue.push_back(microseconds(enqueued - begin) / calls);
    device.push_back(microseconds(Clock::now() - begin) / calls);
  }
  std::sort(device.begin(), device.end());
  std::sort(enqueue.begin(), enqueue.end());
  return {device[7], enqueue[7]};
}

}  // namespace bench
