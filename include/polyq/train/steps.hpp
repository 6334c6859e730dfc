// SPDX-License-Identifier: MIT
// Steps: the cycles that training repeats, each recorded once: act, and act and update. Where the
// environments' own step waits, the halves before and behind it are recorded.
#pragma once
#include <cstdint>
#include <utility>

#include "polyq/dqn/actor.hpp"

namespace polyq {

/// What a cycle may consist of; a static choice, so that a recording holds one pointer.
enum class Cycle { act, act_and_update, choose, store, store_and_update };

template <class Agent, class Environments>
class Steps {
 public:
  static constexpr int N = Environments::count;

  Steps(Agent& agent, const Environments& environments, std::uint64_t log_rows)
      : agent_(&agent),
        actor_(agent, environments, log_rows),
        first_(agent.machine().record(Body<first>{this})),
        last_(agent.machine().record(Body<last>{this})),
        last_and_update_(agent.machine().record(Body<last_and_update>{this})) {}
  Steps(const Steps&) = delete;  // the recordings hold its address
  Steps& operator=(const Steps&) = delete;

  /// One step of every environment, into the replay.
  void act() {
    before();
    last_();
  }
  /// The same, and one update.
  void act_and_update() {
    agent_->comm().check();
    before();
    last_and_update_();
  }
  auto& actor() { return actor_; }

 private:
  static constexpr bool whole = Environments::recordable;
  static constexpr Cycle first = Cycle::choose;
  static constexpr Cycle last = whole ? Cycle::act : Cycle::store;
  static constexpr Cycle last_and_update = whole ? Cycle::act_and_update : Cycle::store_and_update;

  template <Cycle Which>
  struct Body {
    Steps* steps;
    void operator()() const { steps->template enqueue<Which>(); }
  };
  template <Cycle Which>
  void enqueue() {
    if constexpr (Which == Cycle::choose) actor_.enqueue_choose();
    if constexpr (Which == Cycle::act || Which == Cycle::act_and_update) actor_.enqueue_step();
    if constexpr (Which == Cycle::store || Which == Cycle::store_and_update) actor_.enqueue_store();
    if constexpr (Which == Cycle::act_and_update || Which == Cycle::store_and_update)
      agent_->enqueue_update();
  }
  void before() {
    if constexpr (!whole) {
      first_();
      actor_.step_environments();
    }
  }
  template <Cycle Which>
  using Recorded =
      decltype(std::declval<typename Agent::Machine&>().record(std::declval<Body<Which>>()));

  Agent* agent_;
  Actor<Agent, Environments> actor_;
  Recorded<first> first_;
  Recorded<last> last_;
  Recorded<last_and_update> last_and_update_;
};

}  // namespace polyq
