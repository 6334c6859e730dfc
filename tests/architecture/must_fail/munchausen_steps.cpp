// error: polyq::Dqn: the rule is defined for transitions of one step; take the replay out of NStep
#include <polyq/dqn/munchausen.hpp>
#include <polyq/replay/n_step.hpp>

#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, Net{}, replay::NStep<3, Rows>{},
            optim::Adam{},        {},    rule::Munchausen<>{}};
}
