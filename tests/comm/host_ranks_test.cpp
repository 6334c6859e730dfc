// SPDX-License-Identifier: MIT
// HostRanks: any transport as a communicator; the last copy of a handle closes it.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <polyq/comm/concept.hpp>
#include <polyq/comm/host_ranks.hpp>
#include <span>

#include "backends.hpp"
#include "comm/contract.hpp"

namespace {

using namespace polyq::comm;

/// One rank, which counts its openings.
class Alone final : public Transport {
 public:
  explicit Alone(int& open) : Transport(0, 1, default_deadline), open_(open) { ++open_; }
  ~Alone() override { --open_; }

 protected:
  void sum(const Call&, std::span<float>) override {}
  void gather(const Call&, std::span<const float> mine, std::span<float> all) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  void copy(const Call&, std::span<float>) override {}
  void maximum(const Call&, std::span<std::uint64_t>) override {}
  void give_up(const Standing&) noexcept override {}

 private:
  int& open_;
};

}  // namespace

TEST_CASE_TEMPLATE("a transport of one's own is a communicator", B, POLYQ_BACKENDS) {
  if constexpr (B::memory == polyq::backend::Memory::host) {
    int open = 0;
    const HostRanks ranks(std::make_shared<Alone>(open));
    typename B::Machine machine{B{}};
    test::check_contract(ranks, machine);
  }
}

TEST_CASE("the last copy closes the transport") {
  int open = 0;
  std::optional<HostRanks> first(std::make_shared<Alone>(open));
  std::optional<HostRanks> second(*first);
  CHECK(open == 1);
  first.reset();
  CHECK(open == 1);
  second.reset();
  CHECK(open == 0);
}
