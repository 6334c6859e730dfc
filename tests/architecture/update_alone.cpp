// SPDX-License-Identifier: MIT
// update_alone AGENT UPDATES: as many updates by Dqn ("dqn") or by Alone ("alone"), which makes the
// same calls, as if there were no communicators, ranks or shards. Prints a hash of the parameters.
// none_costs_nothing.py counts the instructions of both.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <polyq/backend/eigen_cpu.hpp>
#include <polyq/core/hash.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agents.hpp"

namespace alone {

using namespace polyq;
using Net = nn::Mlp<4, 64, 64, 2>;
using Replay = replay::Uniform<64>;
using Agent = Dqn<backend::EigenCpu, Net, Replay, optim::Adam>;

const Replay replay_settings{.capacity = 1'000};
const DqnSettings settings{.target_period_updates = 50, .tau = 1};

struct Places {
  core::Layout all;
  core::Place<float> online, target, optimizer, scratch;
  core::Place<core::Clock> clock;

  constexpr Places() {
    using Machine = Agent::Machine;
    using Storage = Machine::Storage;
    constexpr std::size_t P = Agent::P;
    online = all.place<float>(P);
    target = all.place<float>(P);
    optimizer = all.place<float>(optim::Adam::On<Machine, Agent::S>::state_size);
    scratch = all.place<float>(Net::scratch_size<Storage, Agent::B>());
    clock = all.place<core::Clock>(1);
  }
};
constexpr Places places;

class Alone {
 public:
  using Machine = Agent::Machine;
  using S = Agent::S;
  using Batch = Agent::Batch;
  static constexpr int O = S::O, A = S::A, B = S::B;
  static constexpr std::size_t P = S::P;
  template <int Columns>
  using Observations = Agent::Observations<Columns>;

  explicit Alone(const std::vector<float>& padded)
      : settings_(settings),
        machine_(backend::EigenCpu{}),
        arena_(machine_, places.all.bytes(), "networks"),
        memory_(machine_, replay_settings, {settings_.discount, settings_.seed, settings_.reward}),
        optimizer_(optim::Adam{}, arena_[places.optimizer]),
        update_(machine_.record(Update{this})) {
    machine_.upload(online(), padded.data(), P);
    machine_.upload(target(), padded.data(), P);
  }

  void update() { update_(); }
  void enqueue_update() {
    const Batch batch = memory_.batch();
    memory_.replay().sample(machine_, clock(), batch);
    forward(nn::Role::target, target(), batch.next, memory_.next(), memory_.tape());
    forward(nn::Role::online, online(), batch.observations, memory_.now(), memory_.tape());
    machine_.for_each(B, memory_.head(rule_, 1.f / float(B)));
    backward();
    optimizer_.step(machine_, online(), memory_.gradient(), clock(), sync_target());
    machine_.for_each(1, core::Tick{clock(), 0, 1});
  }

  Machine& machine() { return machine_; }
  auto& replay() { return memory_.replay(); }
  core::Clock* clock() { return arena_[places.clock]; }
  float* online() { return arena_[places.online]; }

 private:
  struct Update {
    Alone* agent;
    void operator()() const { agent->enqueue_update(); }
  };
  void forward(nn::Role role, const float* parameters, Observations<B> x, Agent::Outputs<B> y,
               float* tape) {
    Net::forward(machine_, parameters, core::as_const(x), y, tape, pass(role));
  }
  void backward() {
    Net::backward<math::Identity>(machine_, online(), core::as_const(memory_.batch().observations),
                                  memory_.tape(), core::as_const(memory_.slope()),
                                  memory_.gradient(), core::Absent{}, arena_[places.scratch],
                                  pass(nn::Role::online));
  }
  nn::Pass pass(nn::Role role) { return {role, clock(), settings_.seed}; }
  SyncTarget sync_target() {
    return {target(), online(), clock(), settings_.target_period_updates, settings_.tau};
  }
  float* target() { return arena_[places.target]; }

  DqnSettings settings_;
  rule::QLearning<> rule_;
  Machine machine_;
  core::Arena<Machine> arena_;
  Agent::ShardType memory_;  // a replay, a batch and what the networks make of it
  optim::Adam::On<Machine, S> optimizer_;
  decltype(std::declval<Machine&>().record(std::declval<Update>())) update_;
};

std::vector<float> parameters_of(Agent& agent) {
  std::vector<float> padded(Agent::P);
  agent.machine().download(padded.data(), agent.online(), Agent::P);
  return padded;
}

template <class Learner>
void run(Learner& learner, int updates) {
  test::fill(learner, 500);
  for (int i = 0; i < updates; ++i) learner.update();
  std::vector<float> padded(Learner::P);
  learner.machine().download(padded.data(), learner.online(), Learner::P);
  std::printf("%016" PRIx64 "\n", core::fnv1a(std::as_bytes(std::span(padded))));
}

}  // namespace alone

int main(int count, char** words) {
  using namespace alone;
  if (count != 3) return 2;
  const int updates = std::atoi(words[2]);
  const auto agent =
      std::make_unique<Agent>(backend::EigenCpu{}, Net{}, replay_settings, optim::Adam{}, settings);
  if (std::string(words[1]) == "dqn") {
    run(*agent, updates);
  } else {
    const auto alone = std::make_unique<Alone>(parameters_of(*agent));
    run(*alone, updates);
  }
}
