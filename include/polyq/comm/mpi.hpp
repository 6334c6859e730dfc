// SPDX-License-Identifier: MIT
// Mpi: host ranks that are processes, on one machine or many, over any MPI-3.1.
#pragma once
#include <mpi.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "polyq/comm/host_ranks.hpp"
#include "polyq/comm/mpi_peers.hpp"
#include "polyq/comm/mpi_session.hpp"
#include "polyq/comm/transport.hpp"

namespace polyq::comm {

/// One rank's end of a communicator. A power of two of ranks sums along the binary tree over ranks,
/// other ranks sum in order; either way the bits are equal on all of them and do not depend on the
/// size of the span.
class MpiTransport final : public Transport {
 public:
  /// Duplicates `from`, as every rank of it does. Throws SettingsError, CommError.
  MpiTransport(std::shared_ptr<MpiSession> session, MPI_Comm from, Deadline deadline)
      : Transport(MpiSession::rank_of(from), MpiSession::size_of(from), deadline),
        peers_(std::move(session), from, deadline) {}

 protected:
  void sum(const Call& call, std::span<float> span) override {
    combine(call, span, [](float a, float b) { return a + b; });
  }
  void maximum(const Call& call, std::span<std::uint64_t> words) override {
    combine(call, words, [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); });
  }
  void gather(const Call& call, std::span<const float> mine, std::span<float> all) override {
    peers_.begin(call);
    for (int r = 0; r < size(); ++r) {
      const std::span<float> part = all.subspan(std::size_t(r) * mine.size(), mine.size());
      if (r == rank()) {
        std::copy(mine.begin(), mine.end(), part.begin());
        continue;
      }
      peers_.receive(r, std::as_writable_bytes(part));
      peers_.send(r, std::as_bytes(mine));
    }
    peers_.wait();
  }
  void copy(const Call& call, std::span<float> span) override {
    peers_.begin(call);
    if (rank() != int(call.root)) peers_.receive(int(call.root), std::as_writable_bytes(span));
    for (int r = 0; r < size(); ++r)
      if (rank() == int(call.root) && r != rank()) peers_.send(r, std::as_bytes(span));
    peers_.wait();
  }
  void give_up(const Standing& standing) noexcept override { peers_.give_up(standing); }

 private:
  // A span that is sent whole takes half the rounds. Between two ranks that is as many bytes as by
  // halves, and faster up to 256 KB; between four it is more bytes, and faster up to 32 KB.
  static constexpr std::size_t most_whole_of_two = 256 << 10, most_whole = 32 << 10;
  static constexpr std::size_t block = 32;  // numbers combined at a time

  template <class T, class With>
  void combine(const Call& call, std::span<T> span, With with) {
    peers_.begin(call);
    if (!std::has_single_bit(unsigned(size())))
      combine_in_order(span, with);
    else if (span.size_bytes() <= (size() == 2 ? most_whole_of_two : most_whole))
      combine_whole(span, with);
    else
      combine_halves(span, with, 1);
  }
  /// The sums of 1, 2, 4 … ranks, each rank making all of them.
  template <class T, class With>
  void combine_whole(std::span<T> span, With with) {
    const std::span<T> other = scratch<T>(span.size());
    for (int mask = 1; mask < size(); mask *= 2) {
      exchange(rank() ^ mask, span, other, span.size_bytes());
      add(span, other, with);
    }
  }
  /// The same sums: two partners make a half each, go on with it, and trade what came of it.
  template <class T, class With>
  void combine_halves(std::span<T> span, With with, int mask) {
    if (mask == size()) return;
    const int partner = rank() ^ mask;
    const std::size_t middle = span.size() / 2 / block * block;
    std::span<T> mine = span.first(middle), other = span.subspan(middle);
    if (rank() & mask) std::swap(mine, other);
    const std::span<T> received = scratch<T>(mine.size());
    exchange(partner, other, received);
    add(mine, received, with);
    combine_halves(mine, with, 2 * mask);
    exchange(partner, mine, other);
  }
  /// Each rank sums a part for all, in the order of ranks.
  template <class T, class With>
  void combine_in_order(std::span<T> span, With with) {
    const std::span<T> mine = part_of(span, rank());
    const std::span<T> received = scratch<T>(mine.size() * std::size_t(size()));
    const auto brought_by = [&](int r) {
      return received.subspan(std::size_t(r) * mine.size(), mine.size());
    };
    std::copy(mine.begin(), mine.end(), brought_by(rank()).begin());
    for (int r = 0; r < size(); ++r)
      if (r != rank()) start_exchange(r, part_of(span, r), brought_by(r));
    peers_.wait();
    std::copy(brought_by(0).begin(), brought_by(0).end(), mine.begin());
    for (int r = 1; r < size(); ++r) add(mine, brought_by(r), with);
    for (int r = 0; r < size(); ++r)
      if (r != rank()) start_exchange(r, mine, part_of(span, r));
    peers_.wait();
  }
  template <class T>
  std::span<T> part_of(std::span<T> span, int r) const {
    const std::size_t n = span.size(), ranks = std::size_t(size());
    const std::size_t first = n * std::size_t(r) / ranks;
    return span.subspan(first, n * std::size_t(r + 1) / ranks - first);
  }

  template <class T>
  void start_exchange(int partner, std::span<T> out, std::span<T> in,
                      std::size_t in_pieces_to = MpiPeers::most_in_pieces) {
    peers_.receive(partner, std::as_writable_bytes(in), in_pieces_to);
    peers_.send(partner, std::as_bytes(out), in_pieces_to);
  }
  template <class T>
  void exchange(int partner, std::span<T> out, std::span<T> in,
                std::size_t in_pieces_to = MpiPeers::most_in_pieces) {
    start_exchange(partner, out, in, in_pieces_to);
    peers_.wait();
  }
  template <class T, class With>
  static void add(std::span<T> span, std::span<T> other, With with) {
    add(span.data(), other.data(), span.size(), with);
  }
  /// In blocks of a fixed size of spans apart, which compilers turn into vectors at -O2 already.
  template <class T, class With>
  static void add(T* __restrict span, const T* __restrict other, std::size_t n, With with) {
    std::size_t at = 0;
    for (; at + block <= n; at += block)
      for (std::size_t i = at; i < at + block; ++i) span[i] = with(span[i], other[i]);
    for (; at < n; ++at) span[at] = with(span[at], other[at]);
  }
  template <class T>
  std::span<T> scratch(std::size_t count) {
    if (scratch_.size() < count * sizeof(T)) scratch_.resize(count * sizeof(T));
    return {reinterpret_cast<T*>(scratch_.data()), count};
  }

  MpiPeers peers_;
  std::vector<std::byte> scratch_;
};

/// The ranks of an MPI communicator; who holds a handle of it may use MPI beside it. The handle
/// belongs to the thread that made it, and its last copy waits until all ranks close theirs.
/// A rank that throws out of its part, or leaves early, is an error of all others at once; behind
/// an error the whole job ends when this process does (MpiSession), unless MPI is the user's, whose
/// part it is then to call MPI_Abort, since MPI_Finalize may wait for ever. Hold a handle for the
/// program's life: MPI begins once.
class Mpi : public HostRanks {
 public:
  /// The processes that mpirun started, or one. Begins MPI unless that has happened, and then also
  /// ends it with the last copy. Waits for all ranks, in MPI_Init without the deadline. Throws
  /// SettingsError, CommError.
  static Mpi world(Deadline deadline = default_deadline) {
    return Mpi(MpiSession::world(), MPI_COMM_WORLD, deadline);
  }
  /// The ranks of a communicator of the user's, duplicated; all of them call this. MPI must outlive
  /// the handle. Throws SettingsError, CommError.
  explicit Mpi(MPI_Comm from, Deadline deadline = default_deadline)
      : Mpi(MpiSession::world(), from, deadline) {}

 private:
  Mpi(std::shared_ptr<MpiSession> session, MPI_Comm from, Deadline deadline)
      : HostRanks(std::make_shared<MpiTransport>(std::move(session), from, deadline)) {}
};

}  // namespace polyq::comm
