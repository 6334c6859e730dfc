// error: polyq::nn::DuelingMlp: it needs a hidden layer; DuelingMlp<O, hidden..., A>
#include <polyq/nn/dueling.hpp>

#include "parts.hpp"

int main() { nn::DuelingMlp<4, 2> network; }
