// error: polyq::Dqn: the 6th argument is not a rule for this network; rule::QLearning
#include "parts.hpp"

int main() { Dqn agent{backend::Reference{}, Net{}, Rows{}, optim::Adam{}, {}, math::Huber{}}; }
