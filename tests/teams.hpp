// SPDX-License-Identifier: MIT
// every_team: calls f with the teams of the host's backends, and with ones whose workers take items
// in other orders or are counted.
#pragma once
#include <polyq/backend/concept.hpp>
#include <polyq/backend/lane_team.hpp>

#include "strict.hpp"

namespace test {

/// As many workers as a block of threads has, in an order.
template <int Threads>
struct CountedTeam : OrderedTeam {
  static constexpr int threads = Threads;
  using OrderedTeam::OrderedTeam;
};

template <class F>
void every_team(F f) {
  f(polyq::backend::SerialTeam{});
  f(polyq::backend::LaneTeam<8>{});
  f(polyq::backend::LaneTeam<16>{});
  for (const Order order : {Order::reverse, Order::shuffled}) {
    f(OrderedTeam(order));
    f(CountedTeam<3>(order));
    f(CountedTeam<128>(order));
  }
}

}  // namespace test
