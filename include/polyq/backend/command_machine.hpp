// SPDX-License-Identifier: MIT
// CommandMachine: what machines share that run on the host as a GPU runs: a recording stores what
// was enqueued and replays the copies, so that a host number frozen by mistake fails without a GPU.
#pragma once
#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

#include "polyq/backend/host_machine.hpp"

namespace polyq::backend {

class CommandMachine : public HostMachine {
  using Commands = std::vector<std::function<void()>>;

 public:
  void zero(void* to, std::size_t bytes) {
    enqueue([to, bytes] { std::memset(to, 0, bytes); });
  }

  /// The first call runs f eagerly, the second stores what f enqueues, later ones replay.
  template <class F>
  class Recording {
   public:
    Recording(CommandMachine& machine, F f) : machine_(&machine), f_(f) {}
    void operator()() {
      const RecordingScope scope(*machine_);
      if (!warm_) {
        f_();
        warm_ = true;
        return;
      }
      if (commands_.empty()) machine_->store(f_, commands_);
      for (const auto& command : commands_) command();
    }

   private:
    CommandMachine* machine_;
    F f_;
    bool warm_ = false;
    Commands commands_;
  };
  template <class F>
  Recording<F> record(F f) {
    return {*this, f};
  }

 protected:
  template <class Command>
  void enqueue(Command command) {
    if (into_ != nullptr)
      into_->emplace_back(command);
    else
      command();
  }

 private:
  /// Fills `commands` with what f enqueues, or, where f throws, with nothing.
  template <class F>
  void store(F& f, Commands& commands) {
    Commands stored;
    into_ = &stored;
    try {
      f();
    } catch (...) {
      into_ = nullptr;
      throw;
    }
    into_ = nullptr;
    commands.swap(stored);
  }
  Commands* into_ = nullptr;
};

}  // namespace polyq::backend
