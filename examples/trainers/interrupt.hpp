// SPDX-License-Identifier: MIT
// Interrupt: the first SIGINT, SIGTERM or SIGUSR1 asks the run to end, the second ends the program
// at once.
#pragma once

namespace trainer {

void listen_for_interrupts();
bool interrupted();

}  // namespace trainer
