// SPDX-License-Identifier: MIT
// Agreement: shared elements, votes, and parameters that are not those of the others.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <polyq/comm/threads.hpp>
#include <polyq/dqn/agreement.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <string>
#include <vector>

#include "backends.hpp"

namespace {

using polyq::CommError;
using polyq::comm::Threads;
using Network = polyq::nn::Mlp<2, 8, 2>;

auto make_agent(const Threads& ranks, const polyq::DqnSettings& settings = {}) {
  return polyq::Dqn<test::Fast, Network, polyq::replay::Uniform<4>, polyq::optim::Adam,
                    polyq::rule::QLearning<>, Threads>(test::Fast{}, {}, {.capacity = 120}, {},
                                                       settings, {}, ranks);
}

/// What each rank was told that f threw.
template <class F>
std::vector<std::string> told(int ranks, F f) {
  std::vector<std::string> messages(static_cast<std::size_t>(ranks));
  std::mutex mutex;
  Threads::run(ranks, [&](const Threads& threads) {
    std::string message;
    try {
      f(threads);
    } catch (const CommError& error) {
      message = error.what();
      CHECK(error.kind == CommError::Kind::differs);
      CHECK_THROWS_AS(threads.check(), CommError);
    }
    const std::lock_guard lock(mutex);
    messages[std::size_t(threads.rank())] = message;
  });
  return messages;
}

}  // namespace

TEST_CASE("each rank's own elements reach all") {
  struct Padded {
    double value;
    std::uint32_t of;  // four bytes follow
  };
  Threads::run(3, [](const Threads& ranks) {
    std::vector<Padded> all(6);
    std::memset(static_cast<void*>(all.data()), 0xff, all.size() * sizeof(Padded));
    const auto is_mine = [&](std::size_t i) { return int(i) / 2 == ranks.rank(); };
    for (std::size_t i = 0; i < 6; ++i)
      if (is_mine(i)) {
        all[i].value = -1.5 * double(i);
        all[i].of = std::uint32_t(i);
      }
    polyq::share(ranks, all, is_mine);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(all[i].value == -1.5 * double(i));
      CHECK(all[i].of == i);
    }
  });
}

TEST_CASE("the outvoted are those without the most frequent hash, or rank 0's") {
  using Ranks = std::vector<int>;
  CHECK(polyq::outvoted({5, 5, 5}).empty());
  CHECK(polyq::outvoted({5, 6, 5, 5}) == Ranks{1});
  CHECK(polyq::outvoted({6, 5, 5, 7}) == Ranks{0, 3});
  CHECK(polyq::outvoted({6, 5}) == Ranks{1});
}

TEST_CASE("a vote of one rank counts for all") {
  Threads::run(3, [](const Threads& ranks) {
    auto agent = make_agent(ranks);
    CHECK(!polyq::agree(agent, {}).stop);
    const polyq::Ballot stopped = polyq::agree(agent, {.stop = ranks.rank() == 2});
    CHECK(stopped.stop);
    CHECK(!stopped.checkpoint);
    const polyq::Ballot saved = polyq::agree(agent, {.checkpoint = ranks.rank() == 1});
    CHECK(!saved.stop);
    CHECK(saved.checkpoint);
  });
  auto alone = make_agent(Threads{});
  CHECK(polyq::agree(alone, {.stop = true}).stop);
}

TEST_CASE("other parameters at a chunk's end are refused on every rank, by name") {
  const std::vector<std::string> messages = told(3, [](const Threads& ranks) {
    auto agent = make_agent(ranks);
    std::vector<float> parameters = agent.parameters();
    if (ranks.rank() == 1) parameters[3] += 1e-6f;
    agent.set_parameters(parameters);
    polyq::agree(agent, {});
  });
  for (const std::string& message : messages)
    CHECK(message ==
          "polyq: rank 1 held other parameters than the rest at a chunk's end; start every rank "
          "from the same build on the same kind of processor, and set parameters on all");
}

TEST_CASE("other settings are refused at the first operation") {
  const std::vector<std::string> messages = told(2, [](const Threads& ranks) {
    make_agent(ranks, {.discount = ranks.rank() == 0 ? .99f : .98f});
  });
  for (const int rank : {0, 1})
    CHECK(messages[std::size_t(rank)].find(
              "rank " + std::to_string(1 - rank) +
              " runs another program or other settings; start every rank from the same build with "
              "the same flags") != std::string::npos);
}
