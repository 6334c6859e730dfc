// error: polyq::Dqn: the 7th argument is not a Communicator; comm::None\{\} is one
#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, Net{}, Rows{}, optim::Adam{}, {}, rule::QLearning{}, 2};
}
