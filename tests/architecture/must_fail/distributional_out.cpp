// error: polyq::nn::Distributional: the network.s out is not a multiple of the atoms; it is
// action_count \* Atoms
#include <polyq/nn/distributional.hpp>

#include "parts.hpp"

int main() { nn::Distributional<3, nn::Mlp<4, 8, 10>> network; }
