// error: polyq::nn::NoisyMlp: it needs a hidden layer; NoisyMlp<O, hidden..., A>
#include <polyq/nn/noisy.hpp>

#include "parts.hpp"

int main() { nn::NoisyMlp<4, 2> network; }
