// error: calling a __host__ function\("Host::operator \(\)\(long\) const"\) from a __device__
// function
#include <polyq/backend/thrust_cuda.cuh>

struct Host {
  float* value;
  void operator()(std::int64_t) const { *value += 1; }
};

int main() {
  polyq::backend::ThrustCuda::Machine machine(polyq::backend::ThrustCuda{});
  machine.for_each(1, Host{nullptr});
}
