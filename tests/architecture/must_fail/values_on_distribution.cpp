// error: polyq::Dqn: the rule does not accept this network.s output
#include <polyq/nn/distributional.hpp>

#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, nn::DistributionalMlp<51, 4, 8, 2>{}, Rows{}, optim::Adam{}};
}
