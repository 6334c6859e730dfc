// error: polyq::Dqn: the rule does not accept this network.s output
#include <polyq/dqn/categorical.hpp>

#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{}, Net{}, Rows{}, optim::Adam{}, {}, rule::Categorical<51>{-10, 10}};
}
