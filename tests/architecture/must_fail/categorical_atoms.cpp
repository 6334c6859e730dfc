// error: polyq::Dqn: the rule does not accept this network.s output; .* Categorical and Quantile
#include <polyq/dqn/categorical.hpp>
#include <polyq/nn/distributional.hpp>

#include "parts.hpp"

int main() {
  Dqn agent{backend::Reference{},
            nn::DistributionalMlp<51, 4, 8, 2>{},
            Rows{},
            optim::Adam{},
            {},
            rule::Categorical<21>{-10, 10}};
}
