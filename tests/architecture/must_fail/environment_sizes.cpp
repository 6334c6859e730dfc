// error: polyq::Actor: the environment.s observation_size or action_count differs from the
// network.s
#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, nn::Mlp<3, 8, 2>{}, Rows{}, optim::Adam{}};
  train(agent, env::CartPole{});
}
