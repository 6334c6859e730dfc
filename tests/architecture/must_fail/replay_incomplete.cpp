// error: polyq::Dqn: the replay lacks attach, cut, push, sample, reprioritize, masked
#include "parts.hpp"

struct OnlyPush {
  static constexpr int batch_size = 64, steps = 1;
  static constexpr bool weighted = false;
  template <class Machine, class Shapes>
  struct On {
    On(Machine&, OnlyPush, replay::RunFacts) {}
    void push(Machine&, const core::Clock*,
              replay::Rows<typename Shapes::template Observations<1>>) {}
  };
};

int main() { Dqn agent{backend::Reference{}, Net{}, OnlyPush{}, optim::Adam{}}; }
