// error: polyq: no Eigen in a .cu
#include <polyq/polyq.hpp>

int main() {}
