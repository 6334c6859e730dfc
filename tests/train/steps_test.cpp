// SPDX-License-Identifier: MIT
// Steps: a recorded cycle does what its parts do, bit for bit; after the first update a cycle of
// EigenCpu neither allocates nor locks.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/host.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/optim/clipped.hpp>
#include <polyq/replay/uniform.hpp>
#include <polyq/train/steps.hpp>
#include <span>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"

namespace {

// Of this program, which has one thread.
long allocations = 0, locks = 0;

}  // namespace

// Every allocation and every lock of the program comes through here; sanitizers bring their own,
// and CUDA's runtime allocates and locks as it likes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__CUDACC__)
constexpr bool counted = false;
#else
constexpr bool counted = true;

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes > 0 ? bytes : 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++allocations;
  const auto unit = std::size_t(alignment);
  return std::aligned_alloc(unit, (bytes / unit + 1) * unit);
}
void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (void* memory = operator new(bytes, alignment, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept {
  return operator new(bytes, tag);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment,
                     const std::nothrow_t& tag) noexcept {
  return operator new(bytes, alignment, tag);
}
// Not inlined: g++ would warn of a `new` that meets a `free`.
[[gnu::noinline]] static void release(void* memory) { std::free(memory); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto lock =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks;
  return lock(mutex);
}
#endif

namespace {

namespace core = polyq::core;
namespace env = polyq::env;
namespace optim = polyq::optim;

template <class B, class Network = polyq::nn::Mlp<4, 16, 2>, int BatchSize = 8,
          class Optimizer = optim::Adam>
using AgentOf = polyq::Dqn<B, Network, polyq::replay::Uniform<BatchSize>, Optimizer>;

/// Everything that steps and updates change but the replay, which later updates show.
template <class Agent>
std::vector<float> everything(Agent& agent) {
  std::vector<float> all = test::state_of(agent);
  const auto next = test::downloaded(agent.machine(), agent.batch().next);
  for (int i = 0; i < Agent::B; ++i)
    all.insert(all.end(), next.column(i), next.column(i) + Agent::O);
  const core::Clock clock = test::clock_of(agent);
  all.push_back(float(clock.env_steps));
  all.push_back(float(clock.updates));
  return all;
}

/// The backend without settings that hold inside recordings only.
template <class B>
B without_flush() {
  if constexpr (requires { B{.flush_denormals = false}; }) {
    return B{.flush_denormals = false};
  } else {
    return B{};
  }
}

/// CartPole behind the simulator's interface, two lanes.
struct Simulated {
  static constexpr const char* name = "simulated CartPole";
  static constexpr int count = 2, observation_size = 4, action_count = 2;
  env::CartPole::State states[count];

  void step(std::span<const std::int32_t> actions, std::span<float> next,
            std::span<env::Outcome> outcomes) {
    for (int e = 0; e < count; ++e) {
      outcomes[e] = env::CartPole{}.step(states[e], actions[e], {});
      env::CartPole{}.observe(states[e], &next[e * 4]);
    }
  }
  void reset(std::span<const std::uint8_t> ended, std::span<const std::uint64_t> seeds,
             std::span<float> observations) {
    for (int e = 0; e < count; ++e) {
      if (!ended[e]) continue;
      states[e] = env::CartPole{}.reset({seeds[e], core::Stream::environment_reset, 0, 0});
      env::CartPole{}.observe(states[e], &observations[e * 4]);
    }
  }
};

/// The same steps and updates by recorded cycles and by their parts.
template <class B, class Environments>
void compare_with_parts(const Environments& recorded_in, const Environments& enqueued_in) {
  const polyq::DqnSettings settings{.exploration = polyq::math::Schedule::linear(1, 0, 300),
                                    .target_period_updates = 3,
                                    .tau = .5f};
  AgentOf<B> recorded(without_flush<B>(), {}, {.capacity = 120}, {.rate = .01f}, settings);
  AgentOf<B> enqueued(without_flush<B>(), {}, {.capacity = 120}, {.rate = .01f}, settings);
  polyq::Steps<AgentOf<B>, Environments> steps(recorded, recorded_in, 64);
  polyq::Actor actor(enqueued, enqueued_in, 64);
  int different = 0;
  for (int step = 0; step < 300; ++step) {
    const bool update = step > 10 && step % 3 > 0;
    update ? steps.act_and_update() : steps.act();
    actor.enqueue_step();
    if (update) enqueued.enqueue_update();
    different += everything(recorded) != everything(enqueued);
  }
  CHECK(different == 0);
  CHECK(test::clock_of(recorded).env_steps == 300 * Environments::count);
  CHECK(test::clock_of(recorded).updates == 193);

  std::vector<polyq::Lane> lanes, expected;
  steps.actor().shards()[0].download_lanes(lanes);
  actor.shards()[0].download_lanes(expected);
  for (int e = 0; e < Environments::count; ++e) {
    CHECK(lanes[e].running_return == expected[e].running_return);
    CHECK(lanes[e].running_length == expected[e].running_length);
  }
}

/// Allocations and locks of a thousand cycles after the first update.
template <class Network, int BatchSize, int N, class Optimizer>
void count_in_cycles(Optimizer optimizer) {
  using Agent = AgentOf<test::Fast, Network, BatchSize, Optimizer>;
  Agent agent({}, {}, {.capacity = 10'000}, optimizer);
  polyq::Steps<Agent, env::Vectorized<env::CartPole, N>> steps(agent, {}, 1'000);
  for (int step = 0; step < 200; ++step) steps.act();
  steps.act_and_update();
  agent.update();

  const long allocations_before = allocations, locks_before = locks;
  for (int step = 0; step < 1'000; ++step) steps.act_and_update();
  for (int step = 0; step < 1'000; ++step) steps.act();
  for (int update = 0; update < 100; ++update) agent.update();
  const long allocated = allocations - allocations_before, locked = locks - locks_before;
  CHECK(test::clock_of(agent).updates == 1'102);
  CHECK(allocated == 0);
  CHECK(locked == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("recorded cycles do what their parts do, bit for bit", B, POLYQ_BACKENDS) {
  compare_with_parts<B>(env::Vectorized<env::CartPole, 2>{}, env::Vectorized<env::CartPole, 2>{});
}

TEST_CASE_TEMPLATE("and so where the halves around a simulator are recorded", B, POLYQ_BACKENDS) {
  Simulated recorded{}, enqueued{}, unused{};
  compare_with_parts<B>(env::Host{&recorded, &unused}, env::Host{&enqueued, &unused});
}

TEST_CASE("allocations and locks are seen where they are counted") {
  if (!counted) {
    MESSAGE("not counted under a sanitizer or by CUDA; the other builds count them");
    return;
  }
  const long allocations_before = allocations, locks_before = locks;
  // Through volatile pointers, since a compiler may leave out an allocation that it can follow.
  int* volatile one = new int;
  delete one;
  int* volatile many = new int[10];
  delete[] many;
  struct alignas(64) Wide {
    char bytes[64];
  };
  Wide* volatile wide = new Wide;
  delete wide;
  Wide* volatile quiet = new (std::nothrow) Wide;
  delete quiet;
  CHECK(allocations - allocations_before == 4);
  std::mutex mutex;
  { const std::lock_guard guard(mutex); }
  CHECK(locks - locks_before == 1);
}

TEST_CASE("after the first update a cycle of EigenCpu neither allocates nor locks") {
  if (!counted) {
    MESSAGE("not counted under a sanitizer or by CUDA; the other builds count them");
    return;
  }
  count_in_cycles<polyq::nn::Mlp<4, 64, 64, 2>, 64, 1>(optim::Adam{.rate = .002f});
  count_in_cycles<polyq::nn::Mlp<4, 33, 17, 2>, 7, 4>(optim::Clipped{optim::Adam{}, .1f});
}
