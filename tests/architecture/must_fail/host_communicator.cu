// error: polyq::Dqn: this communicator cannot reach this backend's memory; Nccl needs a device
// backend, Mpi and Threads a host one
#include <polyq/cuda.cuh>

using namespace polyq;

struct Ranks : comm::None {
  static constexpr bool reaches(backend::Memory memory) { return memory == backend::Memory::host; }
};

int main() {
  Dqn agent{backend::ThrustCuda{},
            nn::Mlp<4, 8, 2>{},
            replay::Uniform<8>{},
            optim::Adam{},
            {},
            rule::QLearning{},
            Ranks{}};
}
