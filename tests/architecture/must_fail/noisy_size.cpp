// error: polyq::nn::Noisy: a size is above 2.21; draws have no number for more
#include <polyq/nn/noisy.hpp>

#include "parts.hpp"

int main() { nn::Noisy<4, 2097153> layer; }
