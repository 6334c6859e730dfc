// error: polyq::nn::Dueling: the streams. in differ; both read the same input
#include <polyq/nn/dueling.hpp>

#include "parts.hpp"

int main() { nn::Dueling<nn::Linear<4, 1>, nn::Linear<5, 2>> streams; }
