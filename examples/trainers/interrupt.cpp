// SPDX-License-Identifier: MIT
// The signals' flag and handler.
#include "interrupt.hpp"

#include <csignal>

namespace trainer {
namespace {

volatile std::sig_atomic_t asked_to_end = 0;

void set_handlers(void (*handler)(int)) {
  std::signal(SIGINT, handler);
  std::signal(SIGTERM, handler);
  std::signal(SIGUSR1, handler);  // which mpirun and Slurm pass on
}

}  // namespace

extern "C" {
static void ask_to_end(int) {
  asked_to_end = 1;
  set_handlers(SIG_DFL);
}
}

void listen_for_interrupts() { set_handlers(ask_to_end); }
bool interrupted() { return asked_to_end != 0; }

}  // namespace trainer
