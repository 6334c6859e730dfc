// error: polyq::Actor: this is no Environment \(it needs a name, a trivially copyable State
#include "parts.hpp"

struct NotConst : env::CartPole {
  env::Outcome step(State& state, std::int32_t action, core::Random random) {  // not const
    return env::CartPole::step(state, action, random);
  }
};

int main() {
  Dqn agent{backend::Reference{}, Net{}, Rows{}, optim::Adam{}};
  train(agent, NotConst{});
}
