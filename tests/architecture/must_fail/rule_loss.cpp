// error: polyq::rule::DoubleQLearning: its argument is not a loss; math::Squared
#include <polyq/dqn/munchausen.hpp>

#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, Net{}, Rows{},
            optim::Adam{},        {},    rule::DoubleQLearning{rule::Munchausen{}}};
}
