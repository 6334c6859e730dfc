// SPDX-License-Identifier: MIT
// Thrust's host systems: every index prepares for itself, sums have the same bits on each system,
// and an update has those of the cpp system. Built once a system.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/backend/reference.hpp>
#include <polyq/backend/thrust.hpp>
#include <polyq/core/error.hpp>
#include <polyq/core/random.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <thread>
#include <vector>

#include "agents.hpp"

#ifdef POLYQ_TEST_THRUST_OMP
#include <thrust/system/omp/execution_policy.h>
using System = thrust::omp::tag;
#elif defined(POLYQ_TEST_THRUST_TBB)
#include <thrust/system/tbb/execution_policy.h>
using System = thrust::tbb::tag;
#else
using System = thrust::cpp::tag;
#endif

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace nn = polyq::nn;
using Backend = backend::Thrust<System>;

static_assert(backend::Backend<Backend> && Backend::memory == backend::Memory::host);

namespace {

/// Breaks the promise of prepare: index 0 writes what every index reads there.
struct ReadsWhatItWrites {
  int *counter, *seen;
  struct Each {
    int *counter, *seen, counted;
    POLYQ_HD void operator()(std::int64_t i) const {
      seen[i] = counted;
      if (i == 0) ++*counter;
    }
  };
  POLYQ_HD Each prepare() const { return {counter, seen, *counter}; }
};

struct Skipped {
  int* calls;
  struct Each {
    int* calls;
    bool active;
    POLYQ_HD void operator()(std::int64_t) const { ++*calls; }
  };
  POLYQ_HD Each prepare() const { return {calls, false}; }
};

struct ValueOf {
  const float* values;
  template <class Lane>
  POLYQ_HD typename Lane::Value operator()(Lane i) const {
    return i.load(values);
  }
};

struct Thrower {
  std::thread::id* thread;
  void operator()(std::int64_t) const {
    *thread = std::this_thread::get_id();
    throw polyq::DeviceError("no luck");
  }
};

template <class B>
int last_seen() {
  typename B::Machine machine(B{});
  int counter = 0, seen[4] = {};
  machine.for_each(4, ReadsWhatItWrites{&counter, seen});
  return seen[3];
}

template <class B>
auto updated() {
  using Optimizer = polyq::optim::Clipped<polyq::optim::Adam>;
  polyq::Dqn agent(B{}, nn::Mlp<4, 33, 18, 3>{}, polyq::replay::Uniform<31>{.capacity = 500},
                   Optimizer{{}, .01f}, {}, polyq::rule::DoubleQLearning{});
  test::fill(agent, 777);
  for (int i = 0; i < 5; ++i) agent.update();
  return agent.parameters();
}

}  // namespace

TEST_CASE("a prepare that reads what its functor writes does not give what Reference gives") {
  CHECK(last_seen<backend::Reference>() == 0);
#if !defined(POLYQ_TEST_THRUST_OMP) && !defined(POLYQ_TEST_THRUST_TBB)
  CHECK(last_seen<Backend>() == 1);  // in order here; a race elsewhere
#endif
}

TEST_CASE("a functor that is not active is skipped at every index") {
  Backend::Machine machine(Backend{});
  int calls = 0;
  machine.for_each(100, Skipped{&calls});
  CHECK(calls == 0);
}

TEST_CASE("what one index throws passes, from the caller's own thread") {
  Backend::Machine machine(Backend{});
  std::thread::id thread;
  CHECK_THROWS_WITH_AS(machine.for_each(1, Thrower{&thread}), "no luck", polyq::DeviceError);
  CHECK(thread == std::this_thread::get_id());
}

TEST_CASE("a sum has 64 parts, however many threads there are") {
  Backend::Machine machine(Backend{});
  for (const std::int64_t n : {1, 63, 64, 65, 1'000, 17'410}) {
    std::vector<float> values(n);
    for (std::int64_t i = 0; i < n; ++i)
      values[i] = core::uniform(
          core::philox(1, core::Stream::noise, std::uint64_t(n), std::uint32_t(i)).word[0]);
    float expected = 0, sum = 0;
    for (std::int64_t part = 0; part < 64; ++part) {
      float total = 0;
      for (std::int64_t i = part * n / 64; i < (part + 1) * n / 64; ++i) total += values[i];
      expected += total;
    }
    machine.sum(n, ValueOf{values.data()}, &sum);
    CHECK(sum == expected);
  }
}

TEST_CASE("an update has the bits of the cpp system") {
  CHECK(updated<Backend>() == updated<backend::ThrustHost>());
}

TEST_CASE("columns are padded to 16 bytes, tensors to 256") {
  using Storage = backend::ThrustStorage;
  static_assert(Storage::stride(1) == 1 && Storage::stride(3) == 3 && Storage::stride(4) == 4);
  static_assert(Storage::stride(5) == 8 && Storage::stride(84) == 84 && Storage::stride(85) == 88);
  static_assert(Storage::activation_size(2, 64) == 128 && Storage::activation_size(5, 1) == 64);
  static_assert(nn::Mlp<4, 5, 2>::parameters<Storage>() == 4 * 64);
}
