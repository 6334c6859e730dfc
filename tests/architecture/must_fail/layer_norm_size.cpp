// error: polyq::nn::LayerNorm: fewer than 2 features; one less its mean is always 0
#include <polyq/nn/layer_norm.hpp>

#include "parts.hpp"

int main() { nn::LayerNorm<1> layer; }
