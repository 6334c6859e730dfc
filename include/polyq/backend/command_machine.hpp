// SPDX-License-Identifier: MIT
// CommandMachine: what machines share that run on the host as a GPU runs: a recording stores what
// was enqueued and replays the copies, so that a host number frozen by mistake fails without a GPU.
#pragma once
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
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
      if (!commands_) commands_ = machine_->stored(f_);
      for (const auto& command : *commands_) command();
    }

   private:
    CommandMachine* machine_;
    F f_;
    bool warm_ = false;
    std::optional<Commands> commands_;
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
  /// What f enqueues.
  template <class F>
  Commands stored(F& f) {
    Commands commands;
    into_ = &commands;
    try {
      f();
    } catch (...) {
      into_ = nullptr;
      throw;
    }
    into_ = nullptr;
    return commands;
  }
  Commands* into_ = nullptr;
};

}  // namespace polyq::backend
