// error: polyq::Dqn: the network lacks a member that a Layer has on this backend
#include "parts.hpp"

struct OnlySizes {
  static constexpr int observation_size = 4, action_count = 2, out = 2;
};

int main() { Dqn agent{backend::Reference{}, OnlySizes{}, Rows{}, optim::Adam{}}; }
