// error: polyq::nn::Scale: it passes no gradient down; it must be the first layer
#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, nn::Sequential<nn::Linear<4, 2>, nn::Scale<2>>{}, Rows{},
            optim::Adam{}};
  agent.update();
}
