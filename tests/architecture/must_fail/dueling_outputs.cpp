// error: polyq::nn::Dueling: the advantages. out is not a multiple of the values. out; it is
// action_count times as much
#include <polyq/nn/dueling.hpp>

#include "parts.hpp"

int main() { nn::Dueling<nn::Linear<4, 2>, nn::Linear<4, 5>> streams; }
