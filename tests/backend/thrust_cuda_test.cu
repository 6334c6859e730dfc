// SPDX-License-Identifier: MIT
// What ThrustCuda asks of CUDA, seen by a fake runtime: an update neither allocates nor waits, in
// the sequence of data/cuda_update.txt; recordings become graphs; every error says where and why.
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <polyq/cuda.cuh>
#include <polyq/train/steps.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "fake_cuda.hpp"
#include "recordings.hpp"

namespace backend = polyq::backend;
namespace core = polyq::core;
namespace env = polyq::env;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
namespace rule = polyq::rule;
using backend::ThrustCuda;
using Machine = ThrustCuda::Machine;
using test::AddOne, test::Failing;
using test::fake_cuda, test::FakeCuda;

static_assert(backend::Backend<ThrustCuda> && ThrustCuda::memory == backend::Memory::device);
static_assert(!Machine::fuses(backend::Fusion::dense));

/// A simulator on the host that counts how often it is asked.
struct Counter {
  static constexpr const char* name = "Counter";
  static constexpr int count = 8, observation_size = 4, action_count = 2;
  int steps = 0;
  void step(std::span<const std::int32_t>, std::span<float>, std::span<env::Outcome> outcomes) {
    ++steps;
    for (env::Outcome& outcome : outcomes) outcome = {1, false, false};
  }
  void reset(std::span<const std::uint8_t>, std::span<const std::uint64_t>, std::span<float>) {}
};

namespace {

/// A fake that pretends nothing, before and after.
struct Fresh {
  Fresh() { clear(); }
  ~Fresh() {
    for (const std::string& call : fake_cuda().wrong) FAIL_CHECK(call);
    clear();
    CHECK(fake_cuda().alive == 0);  // what was made was destroyed
  }
  static void clear() {
    const int alive = fake_cuda().alive;
    fake_cuda() = FakeCuda{};
    fake_cuda().alive = alive;
  }
};

using Network = nn::Mlp<4, 128, 128, 2>;
using Replay = polyq::replay::Uniform<64>;
using Environments = env::Vectorized<env::CartPole, 8>;

/// Reads the type that begins at `at` of a kernel's name and moves behind it: its functors' plain
/// names in the order in which they run.
std::string functors_at(const std::string& name, std::size_t& at) {
  const std::size_t end = name.find_first_of("<,>", at);
  const std::string type = name.substr(at, end - at);
  const std::string plain = type.substr(type.rfind(':') + 1);
  at = end;
  if (at == std::string::npos || name[at] != '<') return plain;
  if (plain == "Then") {
    const std::string first = functors_at(name, ++at);
    at = name.find_first_not_of(", ", at);
    const std::string second = functors_at(name, at);
    at = name.find('>', at) + 1;
    return first + ", " + second;
  }
  for (int depth = 0; at < name.size(); ++at) {
    depth += (name[at] == '<') - (name[at] == '>');
    if (depth == 0) break;
  }
  ++at;
  return plain;
}
std::string functors_of(const std::string& name) {
  for (const std::string by : {"Each<", "Element<", "run_team<", "Term<"}) {
    const std::string wrapper = "polyq::backend::cuda::" + by;
    std::size_t at = name.find(wrapper);
    if (at == std::string::npos) continue;
    at += wrapper.size();
    return functors_at(name, at);
  }
  return name;
}
std::string readable(const std::string& call) {
  if (call.rfind("kernel", 0) != 0) return call;
  if (call.find("DeviceReduceSingleTileKernel") != std::string::npos)
    return "kernel, CUB: sum of parts";
  if (call.find("DeviceReduceKernel") != std::string::npos)
    return "kernel, CUB: parts of the sum of " + functors_of(call);
  return "kernel: " + functors_of(call);
}
std::vector<std::string> sequence() {
  std::vector<std::string> lines;
  for (const std::string& call : fake_cuda().enqueued) lines.push_back(readable(call));
  return lines;
}
/// The lines of a part of data/cuda_update.txt, which begins behind "# <part>".
std::vector<std::string> expected(const std::string& part) {
  std::ifstream file(POLYQ_TEST_DATA "/cuda_update.txt");
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] == '#') {
      inside = line == "# " + part;
    } else if (inside && !line.empty()) {
      lines.push_back(line);
    }
  }
  return lines;
}
std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void check_asks_for_nothing() {
  CHECK(fake_cuda().allocations == 0);
  CHECK(fake_cuda().frees == 0);
  CHECK(fake_cuda().waits == 0);
  CHECK(fake_cuda().uploads == 0);
  CHECK(fake_cuda().downloads == 0);
  for (const std::string& call : fake_cuda().wrong) FAIL_CHECK(call);
}

/// Calls `cycle` four times: eagerly, captured, and replayed twice.
template <class Cycle>
void check_cycle(const std::string& part, std::size_t most, Cycle cycle) {
  CAPTURE(part);
  for (int call = 0; call < 4; ++call) {
    CAPTURE(call);
    fake_cuda().reset();
    cycle();
    check_asks_for_nothing();
    CHECK(fake_cuda().graphs == (call == 1));
    CHECK(fake_cuda().graph_launches == (call > 0));
    if (call < 2) {
      CHECK(joined(sequence()) == joined(expected(part)));
      CHECK(fake_cuda().enqueued.size() <= most);
    } else {
      CHECK(fake_cuda().enqueued.empty());
    }
  }
}

struct TeamNothing {
  template <class Team>
  POLYQ_HD void operator()(const Team&, std::int64_t) const {}
};
struct Once {
  Machine* machine;
  float* memory;
  void operator()() const { machine->for_each(1, AddOne{memory}); }
};
struct Waits {
  Machine* machine;
  void operator()() const { machine->synchronize(); }
};

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const polyq::DeviceError& error) {
    return error.what();
  }
  return "nothing was thrown";
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an update is enqueued without waiting or allocating, and then one graph") {
  const Fresh fresh;
  SUBCASE("Q-learning") {
    polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 8'000}, optim::Adam{});
    polyq::Actor actor(agent, Environments{});
    check_cycle("update: Q-learning", 26, [&] { agent.update(); });
  }
  SUBCASE("double Q-learning, clipped") {
    polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 8'000},
                     optim::Clipped{optim::Adam{}}, {}, rule::DoubleQLearning{});
    polyq::Actor actor(agent, Environments{});
    check_cycle("update: double Q-learning, clipped", 35, [&] { agent.update(); });
  }
}

TEST_CASE("environments on the device act in one graph, and a loop of steps never waits") {
  const Fresh fresh;
  polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 8'000}, optim::Adam{});
  polyq::Steps steps(agent, Environments{}, 1'024);
  check_cycle("act", 10, [&] { steps.act(); });
  for (int warm = 0; warm < 2; ++warm) steps.act_and_update();
  fake_cuda().reset();
  for (int step = 0; step < 100; ++step) {
    steps.act();
    steps.act_and_update();
  }
  check_asks_for_nothing();
  CHECK(fake_cuda().graph_launches == 200);
  CHECK(fake_cuda().enqueued.empty());
}

TEST_CASE("a simulator on the host costs one transfer each way and one wait for actions") {
  const Fresh fresh;
  polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 8'000}, optim::Adam{});
  Counter training, evaluating;
  polyq::Steps steps(agent, env::Host{&training, &evaluating}, 1'024);
  for (int warm = 0; warm < 2; ++warm) steps.act();
  fake_cuda().reset();
  steps.act();
  CHECK(training.steps == 3);
  CHECK(fake_cuda().downloads == 1);
  CHECK(fake_cuda().uploads == 1);
  CHECK(fake_cuda().allocations == 0);
  CHECK(fake_cuda().waits == 2);  // for the actions, and for the staging of an earlier upload
  CHECK(fake_cuda().graph_launches == 2);
}

TEST_CASE("what is uploaded comes back, however large, and its source may change") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  std::vector<float> values(3'000'000);  // 12 MB, in pieces of 1 MiB
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i);
  const auto memory = machine.allocate<float>(values.size());
  machine.upload(memory.get(), values.data(), values.size());
  const std::vector<float> sent = values;
  values.assign(values.size(), 0);
  machine.download(values.data(), memory.get(), values.size());
  CHECK(values == sent);
  CHECK(fake_cuda().uploads == 12);
}

TEST_CASE("both networks start with the parameters that Reference starts with") {
  const Fresh fresh;
  polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 640}, optim::Adam{}, {.seed = 7});
  polyq::Dqn oracle(backend::Reference{}, Network{}, Replay{.capacity = 640}, optim::Adam{},
                    {.seed = 7});
  CHECK(agent.parameters() == oracle.parameters());
  CHECK(agent.parameters(agent.target()) == oracle.parameters());
}

TEST_CASE("the workspace is given behind the stream, which resets it") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  CHECK(sequence() == std::vector<std::string>{"cublasSetStream", "cublasSetWorkspace"});
}

TEST_CASE("no GPU, an old driver and a wrong number are refused with words") {
  const Fresh fresh;
  const auto refusal = [](int device) {
    return message_of([&] { Machine machine(ThrustCuda{.device = device}); });
  };
  fake_cuda().devices = 0;
  CHECK(refusal(0) == "polyq: no CUDA device on this machine");
  fake_cuda().count_status = cudaErrorNoDevice;
  CHECK(refusal(0) == "polyq: no CUDA device on this machine");
  fake_cuda().count_status = cudaErrorInsufficientDriver;
  fake_cuda().driver = 0;
  CHECK(refusal(0) == "polyq: no CUDA device: no NVIDIA driver is installed");
  fake_cuda().driver = 12040;
  fake_cuda().runtime = 13010;
  CHECK(refusal(0) ==
        "polyq: the NVIDIA driver serves CUDA 12.4, this program needs 13.1; update the driver");
  fake_cuda().count_status = cudaSuccess;
  fake_cuda().devices = 2;
  for (const int device : {-1, 2}) {
    const std::string message = "polyq: ThrustCuda.device = " + polyq::shown(device) +
                                "; allowed: [0, 1], the devices of this machine";
    CHECK_THROWS_WITH_AS(Machine(ThrustCuda{.device = device}), message.c_str(),
                         polyq::SettingsError);
  }
}

TEST_CASE("memory that is not there is refused with its bytes, what is free, and what it was for") {
  const Fresh fresh;
  fake_cuda().free_bytes = std::size_t{40} << 20;
  fake_cuda().total_bytes = std::size_t{80} << 20;
  Machine machine(ThrustCuda{});
  CHECK(message_of([&] { machine.allocate<float>(20 << 20); }) ==
        "polyq: cannot allocate 83886080 bytes on CUDA device 0 for an array; 41943040 of its "
        "83886080 are free; lower the replay's capacity or the network's size");
  CHECK(has(message_of([&] { machine.allocate<float>(~std::size_t{0}); }), "cannot allocate"));
  CHECK(has(message_of([&] {
              polyq::Dqn agent(ThrustCuda{}, Network{}, Replay{.capacity = 1'000'000},
                               optim::Adam{});
            }),
            "for the replay's rows;"));
}

TEST_CASE("a kernel that fails later surfaces at the next wait with the places that enqueued") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  const auto memory = machine.allocate<float>(1);
  machine.synchronize();
  const int line = __LINE__ + 1;
  machine.for_each(1, AddOne{memory.get()});
  fake_cuda().device_fault = cudaErrorIllegalAddress;
  const std::string message = message_of([&] { machine.synchronize(); });
  CHECK(has(message, "cudaErrorIllegalAddress"));
  CHECK(has(message, "found at "));
  CHECK(has(message, "thrust_cuda_test.cu:" + polyq::shown(line)));
  CHECK(has(message, "ThrustCuda{.wait_after_each = true} names the one"));
  float value = 0;
  CHECK(has(message_of([&] { machine.download(&value, memory.get(), 1); }), "IllegalAddress"));
  CHECK(has(message_of([&] { machine.upload(memory.get(), &value, 1); }), "IllegalAddress"));
}

TEST_CASE("a kernel that failed is not blamed on the call that meets its error") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  const auto memory = machine.allocate<float>(1);
  auto cycle = machine.record(Once{&machine, memory.get()});
  for (int call = 0; call < 3; ++call) cycle();
  machine.synchronize();
  const int line = __LINE__ + 1;
  machine.for_each(1, AddOne{memory.get()});
  fake_cuda().device_fault = cudaErrorIllegalAddress;
  const std::string guilty = "enqueued since the last wait by";
  const std::string place = "thrust_cuda_test.cu:" + polyq::shown(line);
  const auto names_both = [&](const std::string& message) {
    return has(message, guilty) && has(message.substr(message.find(guilty)), place);
  };
  CHECK(names_both(message_of([&] { machine.for_each(1, AddOne{memory.get()}); })));
  CHECK(names_both(message_of([&] { machine.for_each_team(1, TeamNothing{}); })));
  CHECK(names_both(message_of([&] { machine.zero(memory.get(), 4); })));
  CHECK(names_both(message_of([&] { cycle(); })));
}

TEST_CASE("inside a recording, too: by the place that recorded") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  const auto memory = machine.allocate<float>(1);
  const int line = __LINE__ + 1;
  auto cycle = machine.record(Once{&machine, memory.get()});
  for (int call = 0; call < 3; ++call) cycle();
  machine.synchronize();
  cycle();
  fake_cuda().device_fault = cudaErrorIllegalAddress;
  CHECK(
      has(message_of([&] { machine.synchronize(); }), "thrust_cuda_test.cu:" + polyq::shown(line)));
}

TEST_CASE("waiting after each enqueue names the one, and records nothing") {
  const Fresh fresh;
  Machine machine(ThrustCuda{.wait_after_each = true});
  const auto memory = machine.allocate<float>(1);
  auto cycle = machine.record(Once{&machine, memory.get()});
  fake_cuda().reset();
  for (int call = 0; call < 3; ++call) cycle();
  CHECK(fake_cuda().graphs == 0);
  CHECK(fake_cuda().waits == 3);
  fake_cuda().device_fault = cudaErrorIllegalAddress;
  const std::string message = message_of([&] { cycle(); });
  CHECK(has(message, "cudaErrorIllegalAddress"));
  CHECK(!has(message, "names the one"));
}

TEST_CASE("a launch that is refused is thrown where it was enqueued") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  const auto memory = machine.allocate<float>(1);
  fake_cuda().launch_fault = cudaErrorNoKernelImageForDevice;
  const int line = __LINE__ + 1;
  const std::string message = message_of([&] { machine.for_each(1, AddOne{memory.get()}); });
  CAPTURE(message);
  CHECK(has(message, "compiled for other GPUs, see CMAKE_CUDA_ARCHITECTURES"));
  CHECK(has(message, "thrust_cuda_test.cu:" + polyq::shown(line)));
}

TEST_CASE("an exception while capturing ends the capture and leaves the machine usable") {
  const Fresh fresh;
  for (const int throws_at : {1, 2}) {
    CAPTURE(throws_at);
    Machine machine(ThrustCuda{});
    const auto memory = machine.allocate<float>(1);
    int calls = 0;
    auto cycle = machine.record(Failing<Machine>{&machine, memory.get(), &calls, throws_at});
    for (int call = 1; call < throws_at; ++call) cycle();
    CHECK_THROWS_WITH(cycle(), "out of luck");
    CHECK_NOTHROW(machine.synchronize());
    fake_cuda().reset();
    for (int call = 0; call < 3; ++call) cycle();
    CHECK(fake_cuda().graphs == 1);
    CHECK(calls == 3);
  }
}

TEST_CASE("what waits, allocates or records may not stand in a recording") {
  const Fresh fresh;
  Machine machine(ThrustCuda{});
  auto cycle = machine.record(Waits{&machine});
  for (int call = 0; call < 3; ++call)
    CHECK(message_of([&] { cycle(); }) ==
          "polyq: synchronize inside a recording; do it before or after");
  CHECK_NOTHROW(machine.synchronize());
}
