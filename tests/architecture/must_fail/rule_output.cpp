// error: polyq::Dqn: the rule does not accept this network.s output
#include "parts.hpp"

/// Two numbers an action, as a distribution's network has.
struct TwoEach : nn::Mlp<4, 8, 4> {
  static constexpr int action_count = 2;
};

int main() { Dqn agent{backend::Reference{}, TwoEach{}, Rows{}, optim::Adam{}}; }
