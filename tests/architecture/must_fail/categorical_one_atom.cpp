// error: polyq::rule: a distribution has fewer than 2 atoms or quantiles
#include <polyq/dqn/categorical.hpp>

#include "parts.hpp"

int main() { rule::Categorical<1> rule{-10, 10}; }
