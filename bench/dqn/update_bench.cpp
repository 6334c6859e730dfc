// SPDX-License-Identifier: MIT
// One update of the generic Dqn beside the hand-written peers, all with the same sampler, gather
// and target copy. `bound_us` is the faster of the tile and the Eigen peer in the same run; the
// ratio is the median over samples in which subject and peers ran one after the other.
#include <algorithm>
#include <memory>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "agents.hpp"
#include "peers/eigen_update.hpp"
#include "peers/panels_update.hpp"
#include "peers/peer_replay.hpp"
#include "peers/tile_update.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int samples = 21;
constexpr double sample_microseconds =
    4'000;  // short, so that subject and peer meet the same clock

/// The times of one program, a call, over all samples.
using Times = std::vector<double>;

double median_ratio(const Times& subject, const Times& peer) {
  Times ratios;
  for (std::size_t i = 0; i < subject.size(); ++i) ratios.push_back(subject[i] / peer[i]);
  return bench::median(ratios);
}

template <int H1, int H2, int B, bool Double>
void run() {
  using Net = nn::Mlp<4, H1, H2, 2>;
  using Rule = std::conditional_t<Double, rule::DoubleQLearning<>, rule::QLearning<>>;
  using Agent = Dqn<backend::EigenCpu, Net, replay::Uniform<B>, optim::Adam, Rule>;
  const auto agent = std::make_unique<Agent>(
      backend::EigenCpu{}, Net{}, replay::Uniform<B>{.capacity = 10'000},
      optim::Adam{.rate = 2.5e-4f}, DqnSettings{.target_period_updates = 500, .tau = 1});
  bench::fill(*agent, 10'000);
  using TileUpdate = peers::TileUpdate<4, H1, H2, 2, B, Double>;
  peers::PeerTrainer<TileUpdate> tile;
  peers::PeerTrainer<peers::EigenUpdate<4, H1, H2, 2, B, Double>> eigen;
#ifdef __AVX512F__
  peers::PeerTrainer<peers::PanelsUpdate<4, H1, H2, 2, B, Double>> panels;
#endif

  const int inner = std::max(
      1, int(sample_microseconds / bench::microseconds_per_call([&] { tile.update(); }, 50)));
  Times subject_times, tile_times, eigen_times, panels_times;
  for (int sample = -1; sample < samples; ++sample) {  // the first warms up and is dropped
    const auto time = [&](Times& times, auto& program) {
      const double each = bench::microseconds_per_call([&] { program.update(); }, inner);
      if (sample >= 0) times.push_back(each);
    };
    time(tile_times, tile);
    time(subject_times, *agent);
    time(eigen_times, eigen);
#ifdef __AVX512F__
    time(panels_times, panels);
#endif
  }

  const double tile_us = bench::median(tile_times), eigen_us = bench::median(eigen_times);
  const Times& bound = tile_us < eigen_us ? tile_times : eigen_times;
  const std::string what = "4-" + std::to_string(H1) + "-" + std::to_string(H2) +
                           "-2 B=" + std::to_string(B) + (Double ? " double" : " plain");
  std::vector<std::pair<const char*, double>> numbers{{"us", bench::median(subject_times)},
                                                      {"bound_us", bench::median(bound)},
                                                      {"ratio", median_ratio(subject_times, bound)},
                                                      {"tile_us", tile_us},
                                                      {"eigen_us", eigen_us},
                                                      {"samples", samples}};
  if (!panels_times.empty()) {
    numbers.push_back({"panels_us", bench::median(panels_times)});
    numbers.push_back({"panels_ratio", median_ratio(subject_times, panels_times)});
  }
  bench::print_line("update", what, numbers);
}

/// How near the tile peer comes to the core's peak: a bound must itself be good.
void peak() {
  constexpr int H = 128, B = 64;
  using Tile = peers::TileUpdate<4, H, H, 2, B, false>;
  // Two forwards, and gradients of all weights and of the two upper layers' inputs.
  constexpr double flops = 2. * B * (4. * H * H + 3. * 4 * H + 3. * H * 2 + H * 2);
  const auto tile = std::make_unique<Tile>();
  Times times, reached, peaks;
  for (int sample = 0; sample < samples; ++sample) {
    peaks.push_back(bench::fma_peak_gflops());
    times.push_back(bench::microseconds_per_call([&] { tile->update(.99f, 2.5e-4f); }, 50));
    reached.push_back(flops / times.back() * 1e-3);
  }
  bench::print_line("update", "tile peer 4-128-128-2 B=64 beside the FMA peak",
                    {{"us", bench::median(times)},
                     {"gflops", bench::median(reached)},
                     {"peak_gflops", bench::median(peaks)},
                     {"ratio", median_ratio(reached, peaks)}});
}

}  // namespace

int main() {
  const backend::FlushDenormals flush(backend::FlushDenormals::available);  // for the peers too
  peak();
  run<64, 64, 64, false>();
  run<128, 128, 64, false>();
  run<256, 256, 64, false>();
  run<120, 84, 128, false>();
  run<64, 64, 64, true>();
  run<128, 128, 64, true>();
  run<256, 256, 64, true>();
  run<120, 84, 128, true>();
}
