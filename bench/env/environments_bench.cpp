// SPDX-License-Identifier: MIT
// Environment steps a second on one core: each environment alone, its lanes stepped by given
// actions, with all that a step writes and the resets, beside the loop that one would write by
// hand.
#include <cstdint>
#include <cstdlib>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/env/acrobot.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/mountain_car.hpp>
#include <polyq/env/vectorized.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "peers/environments.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int samples = 21, inner_env_steps = 64 * 1'024;

/// N lanes on EigenCpu, stepped as acting steps them.
template <class Env, int N>
class Lanes {
  using Machine = backend::EigenCpu::Machine;
  using Observations = backend::Activations<Machine::Storage, float, Env::observation_size, N>;

 public:
  Lanes() { on_.reset(machine_, clock_, stepped()); }
  void step(const std::int32_t* actions) {
    on_.step(machine_, clock_, actions, stepped(), backend::Nothing{});
    machine_.for_each(1, core::Tick{clock_, N, 0});
  }

 private:
  env::Stepped<Observations> stepped() {
    return {{next_.data()},
            {observations_.data()},
            rewards_.data(),
            terminated_.data(),
            truncated_.data()};
  }

  Machine machine_{backend::EigenCpu{}};
  typename env::Vectorized<Env, N>::template On<Machine> on_{machine_, {}, 1};
  core::Clock clock_value_, *clock_ = &clock_value_;
  std::vector<float> next_ = std::vector<float>(std::size_t(Observations::stride) * N),
                     observations_ = next_, rewards_ = std::vector<float>(N);
  std::vector<std::uint8_t> terminated_ = std::vector<std::uint8_t>(N), truncated_ = terminated_;
};

template <class Env, int N, class Peer>
void run() {
  std::vector<std::int32_t> actions(inner_env_steps);
  for (std::size_t i = 0; i < actions.size(); ++i)
    actions[i] = std::int32_t(
        core::below(core::philox(2, core::Stream::explore, i, 0).word[0], Env::action_count));
  Lanes<Env, N> lanes;
  Peer peer;
  int at = 0;
  const auto next_actions = [&] {
    at = at + N < inner_env_steps ? at + N : 0;
    return actions.data() + at;
  };
  const bench::PairTimes times =
      bench::interleaved([&] { lanes.step(next_actions()); }, [&] { peer.step(next_actions()); },
                         samples, inner_env_steps / N);
  bench::print_line("environments", std::string(Env::name) + ", N=" + std::to_string(N),
                    {{"us", times.first_median},
                     {"min_us", times.first_minimum},
                     {"bound_us", times.second_median},
                     {"ratio", times.ratio_median},
                     {"steps_per_second", N / times.first_median * 1e6},
                     {"best_steps_per_second", N / times.first_minimum * 1e6},
                     {"samples", samples}});
}

template <class Env, template <int N> class Peer>
void run_sizes() {
  run<Env, 1, Peer<1>>();
  run<Env, 16, Peer<16>>();
  run<Env, 64, Peer<64>>();
}

}  // namespace

int main() {
  run_sizes<env::CartPole, peers::CartPoleLoop>();
  run_sizes<env::MountainCar, peers::MountainCarLoop>();
  run_sizes<env::Acrobot, peers::AcrobotLoop>();
}
