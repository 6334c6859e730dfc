// error: polyq::Dqn: the 6th argument is not a rule for this network; rule::QLearning
#include "parts.hpp"

struct CannotLearn {
  static constexpr bool reads_online_next = false;
  template <class Network>
  static constexpr bool accepts = true;
  template <int A>
  static const float* values(const float* output, float*) {
    return output;
  }
  void check() const {}
};

int main() { Dqn agent{backend::Reference{}, Net{}, Rows{}, optim::Adam{}, {}, CannotLearn{}}; }
