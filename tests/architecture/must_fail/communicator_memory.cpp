// error: polyq::Dqn: this communicator cannot reach this backend.s memory; Nccl needs a device
// backend
#include "parts.hpp"

struct DeviceOnly : comm::None {
  static constexpr bool reaches(backend::Memory memory) {
    return memory == backend::Memory::device;
  }
};

int main() {
  Dqn agent{backend::Reference{}, Net{},       Rows{}, optim::Adam{}, {},
            rule::QLearning{},    DeviceOnly{}};
}
