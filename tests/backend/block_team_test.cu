// SPDX-License-Identifier: MIT
// A team is a block of 128 threads. What a block computes is seen on a GPU alone: there the
// backend-typed tests run on ThrustCuda.
#include <doctest/doctest.h>

#include <cstdint>
#include <polyq/backend/thrust_cuda.cuh>

#include "fake_cuda.hpp"

namespace backend = polyq::backend;
using test::fake_cuda;

namespace {

struct Sum {
  float* out;
  struct One {
    POLYQ_HD float operator()(int) const { return 1; }
  };
  template <class Team>
  POLYQ_HD void operator()(const Team& team, std::int64_t i) const {
    out[i] = team.sum(100, One{}) + team.max(7, One{});
    team.for_each(3, Ignore{});
  }
  struct Ignore {
    POLYQ_HD void operator()(int) const {}
  };
};

}  // namespace

TEST_CASE("n teams are n blocks of 128 threads, no teams no launch") {
  backend::ThrustCuda::Machine machine(backend::ThrustCuda{});
  const auto memory = machine.allocate<float>(17);
  fake_cuda().reset();
  machine.for_each_team(0, Sum{memory.get()});
  CHECK(fake_cuda().enqueued.empty());
  machine.for_each_team(17, Sum{memory.get()});
  REQUIRE(fake_cuda().enqueued.size() == 1);
  CHECK(fake_cuda().enqueued[0].find("<<<17, 128>>>") != std::string::npos);
}
