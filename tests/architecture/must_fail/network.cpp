// error: polyq::Dqn: the 2nd policy is not a Network; nn::Mlp<O, hidden\.\.\., A>\{\} is one
#include "parts.hpp"

int main() { Dqn agent{backend::Reference{}, Rows{}, Rows{}, optim::Adam{}}; }
