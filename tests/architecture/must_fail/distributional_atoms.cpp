// error: polyq::nn::Distributional: fewer than 2 atoms; a distribution has 2 or more
#include <polyq/nn/distributional.hpp>

#include "parts.hpp"

int main() { nn::Distributional<1, Net> network; }
