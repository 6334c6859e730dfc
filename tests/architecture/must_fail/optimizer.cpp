// error: polyq::Dqn: the 4th policy is not an Optimizer on this backend; it needs On<Machine,
// Shapes>
#include "parts.hpp"

struct NoStep {
  float rate;
  template <class Machine, class Shapes>
  struct On {
    static constexpr std::size_t state_size = 0;
    On(NoStep, float*) {}
  };
};

int main() { Dqn agent{backend::Reference{}, Net{}, Rows{}, NoStep{1e-3f}}; }
