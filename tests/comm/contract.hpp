// SPDX-License-Identifier: MIT
// What every communicator promises, called by each rank of a group: sums, gathers, copies,
// agreement, recordings, and what all ranks must hold in common.
#pragma once
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <polyq/comm/concept.hpp>
#include <polyq/core/hash.hpp>
#include <polyq/core/random.hpp>
#include <span>
#include <utility>
#include <vector>

#include "memory.hpp"

namespace test {

/// Numbers that sums round, other ones on every rank.
inline std::vector<float> brought_by(int rank, std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] =
        polyq::core::uniform(polyq::core::philox(std::uint64_t(rank), {}, i, 0).word[0]) - .3f;
  return values;
}

/// Whether the values are the same bits on every rank.
template <class Comm>
bool equal_on_all(const Comm& comm, const std::vector<float>& values) {
  const std::uint64_t hash = polyq::core::fnv1a(std::as_bytes(std::span(values)));
  std::uint64_t words[] = {hash, ~hash};
  comm.agree(words);
  return words[0] == ~words[1];
}

template <class Comm, class Machine>
struct RecordedSum {
  Comm comm;
  Machine* machine;
  float* span;
  std::size_t n;
  void operator()() const { comm.all_reduce_sum(*machine, span, n); }
};

template <class Comm, class Machine>
void check_sums(const Comm& comm, Machine& machine) {
  for (const std::size_t n : {0, 1, 31, 32, 33, 1'000, 4'610, 100'003, 1'048'576}) {
    const auto span = uploaded(machine, brought_by(comm.rank(), n));
    comm.all_reduce_sum(machine, span.get(), n);
    comm.synchronize(machine);
    const std::vector<float> summed = downloaded(machine, span.get(), n);
    CHECK(equal_on_all(comm, summed));
    std::vector<double> exact(n);
    for (int r = 0; r < comm.size(); ++r) {
      const std::vector<float> brought = brought_by(r, n);
      for (std::size_t i = 0; i < n; ++i) exact[i] += double(brought[i]);
    }
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i)
      worst = std::max(worst, std::abs(double(summed[i]) - exact[i]));
    CHECK(worst <= 1e-7 * comm.size() * comm.size());  // a rounding an addition, of up to size · .7
  }
}

template <class Comm, class Machine>
void check_special_numbers(const Comm& comm, Machine& machine) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> special(5, 1);
  const bool last = comm.rank() == comm.size() - 1;
  if (last) special = {infinity, -infinity, std::nanf(""), 1e-42f, -0.f};
  const auto span = uploaded(machine, special);
  comm.all_reduce_sum(machine, span.get(), special.size());
  comm.synchronize(machine);
  const std::vector<float> summed = downloaded(machine, span.get(), special.size());
  CHECK(summed[0] == infinity);
  CHECK(summed[1] == -infinity);
  CHECK(std::isnan(summed[2]));
}

template <class Comm, class Machine>
void check_moves(const Comm& comm, Machine& machine) {
  for (const std::size_t n : {0, 1, 33, 4'610, 100'003}) {
    const auto mine = uploaded(machine, brought_by(comm.rank(), n));
    const auto all = machine.template allocate<float>(n * std::size_t(comm.size()));
    comm.all_gather(machine, mine.get(), all.get(), n);
    comm.synchronize(machine);
    for (int r = 0; r < comm.size(); ++r)
      CHECK(downloaded(machine, all.get() + std::size_t(r) * n, n) == brought_by(r, n));
    CHECK(downloaded(machine, mine.get(), n) == brought_by(comm.rank(), n));
    for (int root = 0; root < comm.size(); ++root) {
      const auto span = uploaded(machine, brought_by(comm.rank(), n));
      comm.broadcast(machine, span.get(), n, root);
      comm.synchronize(machine);
      CHECK(downloaded(machine, span.get(), n) == brought_by(root, n));
    }
  }
}

template <class Comm>
void check_agreement(const Comm& comm) {
  for (const std::size_t n : {0, 1, 4, 3'001}) {
    std::vector<std::uint64_t> words(n);
    for (std::size_t i = 0; i < n; ++i)  // each rank has the largest of some, of all 64 bits
      words[i] =
          int(i) % comm.size() == comm.rank() ? ~std::uint64_t{i} : i + std::uint64_t(comm.rank());
    comm.agree(words);
    for (std::size_t i = 0; i < n; ++i) CHECK(words[i] == ~std::uint64_t{i});
  }
  comm.barrier();
}

template <class Comm, class Machine>
void check_recording(const Comm& comm, Machine& machine) {
  constexpr std::size_t n = 1'000;
  const auto span = uploaded(machine, std::vector<float>(n, 1));
  auto recorded = machine.record(RecordedSum<Comm, Machine>{comm, &machine, span.get(), n});
  for (int call = 0; call < 4; ++call) recorded();
  comm.synchronize(machine);
  const float sum = std::pow(float(comm.size()), 4.f);
  CHECK(downloaded(machine, span.get(), n) == std::vector<float>(n, sum));
}

template <class Comm, class Machine>
void check_contract(const Comm& comm, Machine& machine) {
  static_assert(polyq::comm::CommunicatorOn<Comm, Machine>);
  CHECK((comm.rank() >= 0 && comm.rank() < comm.size()));
  comm.introduce(7);
  check_sums(comm, machine);
  check_special_numbers(comm, machine);
  check_moves(comm, machine);
  check_agreement(comm);
  check_recording(comm, machine);
  const Comm copy = comm;  // the same group
  check_agreement(copy);
  comm.check();
}

}  // namespace test
