// SPDX-License-Identifier: MIT
// Sums over ranks: under mpirun Mpi's beside what MPI itself offers, blocking and polled (a
// deadline needs polling); alone that of two Threads. Wall time, since ranks wait for each other;
// cases run alternately, and a round counts as its slowest rank.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <polyq/backend/reference.hpp>
#include <polyq/comm/mpi.hpp>
#include <polyq/comm/threads.hpp>
#include <string>
#include <vector>

#include "agents.hpp"
#include "peers/timing.hpp"

namespace {

using polyq::backend::Reference;
using polyq::comm::Mpi;
using polyq::comm::Threads;
using Span = std::vector<float>;
using Sum = std::function<void(Span&)>;

constexpr int rounds = 25;

struct Case {
  std::string name;
  std::size_t floats;
};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (std::size_t kilobytes = 4; kilobytes <= 4'096; kilobytes *= 2)
    all.push_back({std::to_string(kilobytes) + " KB", kilobytes * 256});
  for (const std::size_t h : {64, 128, 256}) {
    const std::string hidden = std::to_string(h);
    all.push_back({"4-" + hidden + "-" + hidden + "-2", 5 * h + (h + 1) * h + (h + 1) * 2});
  }
  return all;
}
/// Calls in a row: about 10 ms.
int inner_of(std::size_t floats) {
  return std::clamp(int(40'000'000 / (floats * 16 + 20'000)), 4, 500);
}

double microseconds_of(const Sum& sum, Span& span, int inner) {
  const auto begin = std::chrono::steady_clock::now();
  for (int call = 0; call < inner; ++call) sum(span);
  const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - begin;
  return elapsed.count() / inner;
}
double slowest_of(const Sum& sum, Span& span, int inner) {
  MPI_Barrier(MPI_COMM_WORLD);
  double slowest = microseconds_of(sum, span, inner);
  MPI_Allreduce(MPI_IN_PLACE, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest;
}

void sum_blocking(Span& span) {
  MPI_Allreduce(MPI_IN_PLACE, span.data(), int(span.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}
void sum_polled(Span& span) {
  MPI_Request request;
  MPI_Iallreduce(MPI_IN_PLACE, span.data(), int(span.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD,
                 &request);
  for (int done = 0; !done;) MPI_Test(&request, &done, MPI_STATUS_IGNORE);
}

void run_mpi(const Mpi& ranks, const Case& of) {
  Reference::Machine machine{{}};
  const Sum sums[] = {[&](Span& span) { ranks.all_reduce_sum(machine, span.data(), span.size()); },
                      sum_blocking, sum_polled};
  Span span(of.floats);  // zeros, whose sums stay zeros
  const int inner = inner_of(of.floats);
  std::vector<double> times[3], to_blocking, to_polled;
  for (const Sum& sum : sums) slowest_of(sum, span, inner);
  for (int round = 0; round < rounds; ++round) {
    for (int kind = 0; kind < 3; ++kind) times[kind].push_back(slowest_of(sums[kind], span, inner));
    to_blocking.push_back(times[0].back() / times[1].back());
    to_polled.push_back(times[0].back() / times[2].back());
  }
  if (ranks.rank() != 0) return;
  const double blocking = bench::median(times[1]), polled = bench::median(times[2]);
  bench::print_line("all_reduce", "Mpi, " + std::to_string(ranks.size()) + " ranks, " + of.name,
                    {{"us", bench::median(times[0])},
                     {"min_us", *std::min_element(times[0].begin(), times[0].end())},
                     {"bound_us", std::min(blocking, polled)},
                     {"ratio", std::max(bench::median(to_blocking), bench::median(to_polled))},
                     {"blocking_us", blocking},
                     {"polled_us", polled},
                     {"samples", rounds}});
}

void run_threads(const Case& of) {
  const int inner = inner_of(of.floats);
  std::vector<double> times;
  Threads::run(2, [&](const Threads& threads) {
    Reference::Machine machine{{}};
    Span span(of.floats);
    const Sum sum = [&](Span& s) { threads.all_reduce_sum(machine, s.data(), s.size()); };
    for (int round = -1; round < rounds; ++round) {
      const double time = microseconds_of(sum, span, inner);
      if (round >= 0 && threads.rank() == 0) times.push_back(time);
    }
  });
  bench::print_line("all_reduce", "Threads, 2 ranks, " + of.name,
                    {{"us", bench::median(times)},
                     {"min_us", *std::min_element(times.begin(), times.end())},
                     {"samples", rounds}});
}

}  // namespace

int main() {
  const Mpi ranks = Mpi::world();
  for (const Case& of : cases())
    if (ranks.size() > 1)
      run_mpi(ranks, of);
    else
      run_threads(of);
}
