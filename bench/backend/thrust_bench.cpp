// SPDX-License-Identifier: MIT
// One update on ThrustHost beside EigenCpu's. ThrustHost is there for correctness: the figure says
// what it costs, not what it is for.
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/backend/thrust.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int pairs = 15, inner = 20;

template <class Backend, int H, int B>
using Agent = Dqn<Backend, nn::Mlp<4, H, H, 2>, replay::Uniform<B>, optim::Adam>;

template <int H, int B>
void run() {
  Agent<backend::ThrustHost, H, B> thrust({}, {}, {.capacity = 10'000}, {});
  Agent<backend::EigenCpu, H, B> eigen({}, {}, {.capacity = 10'000}, {});
  bench::fill(thrust, 10'000);
  bench::fill(eigen, 10'000);
  const bench::PairTimes times =
      bench::interleaved([&] { thrust.update(); }, [&] { eigen.update(); }, pairs, inner);
  bench::print_line("thrust",
                    "ThrustHost 4-" + std::to_string(H) + "-" + std::to_string(H) +
                        "-2 B=" + std::to_string(B) + " beside EigenCpu",
                    {{"us", times.first_median},
                     {"bound_us", times.second_median},
                     {"ratio", times.ratio_median},
                     {"samples", pairs}});
}

}  // namespace

int main() {
  run<64, 64>();
  run<128, 64>();
}
