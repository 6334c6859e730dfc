// error: polyq::Dqn: the 3rd policy is not a Replay; replay::Uniform<64>\{\} is one
#include "parts.hpp"

struct NoBatch {
  int capacity;
};

int main() { Dqn agent{backend::Reference{}, Net{}, NoBatch{100}, optim::Adam{}}; }
