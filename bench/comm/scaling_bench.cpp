// SPDX-License-Identifier: MIT
// Synchronous data parallelism: an update of N ranks beside one rank with the whole batch, and
// beside N independent agents that each have a rank's batch and nobody to talk to: the ceiling.
// Under mpirun its processes are the ranks; alone 2 and 4 threads are. Wall time, from the first
// rank's start to the last one's end; the three run alternately, a rank that is not needed sleeps.
// `exposed_us` is the time in sums, the wait for slower ranks included; `sum_us` is without it,
// from a run in which the ranks meet before each sum. bench_scaling [SECONDS]: about so many for a
// case, of 12 for each number of ranks; 2.5 unless said.
#include <mpi.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/comm/mpi.hpp>
#include <polyq/comm/threads.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using namespace polyq;

constexpr int most_rounds = 21, fewest_rounds = 5;
constexpr double sample_us = 10'000;

double now_us() {
  const std::chrono::duration<double, std::micro> now =
      std::chrono::steady_clock::now().time_since_epoch();
  return now.count();
}

/// Adds up the time that its sums take. EigenCpu carries out at once what is enqueued, so the time
/// of the call is that of the work.
class Timed : public comm::HostRanks {
 public:
  explicit Timed(const comm::HostRanks& ranks)
      : HostRanks(ranks), state_(std::make_shared<State>()) {}

  template <class Machine>
  void all_reduce_sum(Machine& machine, float* span, std::size_t n) const {
    if (state_->meets) barrier();
    const double begin = now_us();
    HostRanks::all_reduce_sum(machine, span, n);
    state_->total += now_us() - begin;
  }
  /// Whether the ranks meet before a sum, so that its time has no wait for slower ranks in it.
  void meet_before_sums(bool meet) const { state_->meets = meet; }
  /// Since the last call of it.
  double take_us() const { return std::exchange(state_->total, 0.); }

 private:
  struct State {
    double total = 0;
    bool meets = false;
  };
  std::shared_ptr<State> state_;
};

/// The ranks, whatever carries their spans, and how one of them waits without taking a core from
/// the one that is timed.
struct Team {
  std::string name;
  comm::HostRanks ranks;
  std::function<void()> rest;
  double case_us;
};

template <int H, int Batch>
using Agent = Dqn<backend::EigenCpu, nn::Mlp<4, H, H, 2>, replay::Uniform<Batch>, optim::Adam,
                  rule::QLearning<>, Timed>;

template <int H, int Batch>
std::unique_ptr<Agent<H, Batch>> filled_agent(const Timed& ranks) {
  constexpr int rows = 10'000;
  auto agent = std::make_unique<Agent<H, Batch>>(
      backend::EigenCpu{}, nn::Mlp<4, H, H, 2>{},
      replay::Uniform<Batch>{.capacity = rows * ranks.size()}, optim::Adam{.rate = 2.5e-4f},
      DqnSettings{.target_period_updates = 500, .tau = 1}, rule::QLearning<>{}, ranks);
  bench::fill(*agent, rows);
  return agent;
}

/// The values of all ranks, on all ranks.
std::vector<double> of_all(const comm::HostRanks& ranks, double mine) {
  std::vector<double> all(std::size_t(ranks.size()));
  all[std::size_t(ranks.rank())] = mine;
  share(ranks, all, [&](std::size_t r) { return int(r) == ranks.rank(); });
  return all;
}

/// Microseconds an update, a value a round.
struct Times {
  std::vector<double> whole, ceiling, together, exposed, sum, speed_up, to_ceiling;
};

template <int H, int Global, int Ranks>
class Case {
  static constexpr int batch = Global / Ranks;

 public:
  explicit Case(const Team& team)
      : team_(team),
        timed_(team.ranks),
        whole_(filled_agent<H, Global>(alone())),
        part_(filled_agent<H, batch>(alone())),
        together_(filled_agent<H, batch>(timed_)) {}

  void run() {
    round(1);
    const double estimate = times_.whole.back();
    const int updates = std::max(1, int(sample_us / estimate));
    const int rounds =
        std::clamp(int(team_.case_us / (4 * estimate * updates)), fewest_rounds, most_rounds);
    round(updates);  // caches and the clock rate settle
    times_ = {};
    for (int i = 0; i < rounds; ++i) round(updates);
    if (team_.ranks.rank() == 0) print();
  }

 private:
  /// A rank that nobody else waits for; its sums are nothing.
  static Timed alone() { return Timed(comm::Threads{}); }

  void round(int updates) {
    double whole = 0;
    team_.rest();
    if (team_.ranks.rank() == 0) whole = microseconds_of([&] { whole_->update(); }, updates);
    team_.rest();
    times_.whole.push_back(of_all(team_.ranks, whole)[0]);
    times_.ceiling.push_back(microseconds_on_all([&] { part_->update(); }, updates));
    times_.together.push_back(microseconds_together(updates, times_.exposed));
    timed_.meet_before_sums(true);
    microseconds_together(updates, times_.sum);
    timed_.meet_before_sums(false);
    times_.speed_up.push_back(times_.whole.back() / times_.together.back());
    times_.to_ceiling.push_back(times_.ceiling.back() / times_.together.back());
  }
  /// And, into `sums`, a rank's mean time in sums.
  double microseconds_together(int updates, std::vector<double>& sums) {
    timed_.take_us();
    const double elapsed = microseconds_on_all([&] { together_->update(); }, updates);
    const std::vector<double> all = of_all(team_.ranks, timed_.take_us() / updates);
    sums.push_back(std::accumulate(all.begin(), all.end(), 0.) / Ranks);
    return elapsed;
  }
  /// Of the same work on all ranks. The clock is one for all processes of a machine.
  template <class Work>
  double microseconds_on_all(Work work, int updates) {
    team_.ranks.barrier();
    const double begin = now_us();
    for (int i = 0; i < updates; ++i) work();
    const double end = now_us();
    const std::vector<double> begins = of_all(team_.ranks, begin), ends = of_all(team_.ranks, end);
    const double elapsed = *std::max_element(ends.begin(), ends.end()) -
                           *std::min_element(begins.begin(), begins.end());
    return elapsed / updates;
  }
  template <class Work>
  double microseconds_of(Work work, int updates) {
    const double begin = now_us();
    for (int i = 0; i < updates; ++i) work();
    return (now_us() - begin) / updates;
  }
  void print() const {
    const std::string hidden = std::to_string(H);
    const std::string what = team_.name + ", " + std::to_string(Ranks) + " ranks, 4-" + hidden +
                             "-" + hidden + "-2, global batch " + std::to_string(Global);
    bench::print_line(
        "scaling", what,
        {{"us", bench::median(times_.together)},
         {"min_us", *std::min_element(times_.together.begin(), times_.together.end())},
         {"one_rank_us", bench::median(times_.whole)},
         {"speed_up", bench::median(times_.speed_up)},
         {"ceiling_us", bench::median(times_.ceiling)},
         {"ratio", bench::median(times_.to_ceiling)},
         {"exposed_us", bench::median(times_.exposed)},
         {"sum_us", bench::median(times_.sum)},
         {"samples", double(times_.together.size())}});
  }

  const Team& team_;
  Timed timed_;
  std::unique_ptr<Agent<H, Global>> whole_;
  std::unique_ptr<Agent<H, batch>> part_, together_;
  Times times_;
};

template <int H, int Ranks>
void run_batches(const Team& team) {
  Case<H, 64, Ranks>(team).run();
  Case<H, 512, Ranks>(team).run();
  Case<H, 4096, Ranks>(team).run();
}
template <int Ranks>
void run_shapes(const Team& team) {
  run_batches<64, Ranks>(team);
  run_batches<256, Ranks>(team);
  run_batches<512, Ranks>(team);
  run_batches<1024, Ranks>(team);
}

template <int Ranks>
void run_threads(double case_us) {
  std::barrier resting(Ranks);  // sleeps, where the communicator's own would spin
  comm::Threads::run(Ranks, [&](const comm::Threads& ranks) {
    run_shapes<Ranks>({"Threads", ranks, [&] { resting.arrive_and_wait(); }, case_us});
  });
}
void rest_among_processes() {
  MPI_Request request;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  for (int done = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done;)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
}

}  // namespace

int main(int count, char** words) {
  const double case_us = 1e6 * (count > 1 ? std::stod(words[1]) : 2.5);
  const comm::Mpi ranks = comm::Mpi::world();
  const Team processes{"Mpi", ranks, rest_among_processes, case_us};
  switch (ranks.size()) {
    case 1:
      run_threads<2>(case_us);
      run_threads<4>(case_us);
      break;
    case 2:
      run_shapes<2>(processes);
      break;
    case 4:
      run_shapes<4>(processes);
      break;
    default:
      require(false, "ranks", ranks.size(), "1 (2 and 4 threads), 2 or 4");
  }
}
