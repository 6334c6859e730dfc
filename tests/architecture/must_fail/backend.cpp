// error: polyq::Dqn: the 1st policy is not a Backend; backend::EigenCpu\{\} is one
#include "parts.hpp"

int main() { Dqn agent{nn::Mlp<4, 8, 2>{}, Net{}, Rows{}, optim::Adam{}}; }
