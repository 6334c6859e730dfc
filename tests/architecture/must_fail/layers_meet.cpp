// error: polyq::nn::Sequential: a layer.s in differs from the out of the layer before it
#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, nn::Sequential<nn::Linear<4, 8>, nn::Linear<9, 2>>{}, Rows{},
            optim::Adam{}};
}
