// SPDX-License-Identifier: MIT
// Reference: plain loops, the oracle of every other backend. A recording stores what was enqueued
// and replays the copies, as a CUDA graph does, so that a host number frozen by mistake fails here.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "polyq/backend/concept.hpp"
#include "polyq/backend/host_machine.hpp"

namespace polyq::backend {

struct Reference {
  static constexpr Memory memory = Memory::host;

  struct Storage {  // no pads; a weight is [In][Out], outputs contiguous
    static constexpr int granule = 1;
    static constexpr int stride(int rows) { return rows; }
    static constexpr std::size_t activation_size(int rows, int columns) {
      return std::size_t(rows) * columns;
    }
    static constexpr bool outputs_contiguous(int, int) { return true; }
    static constexpr std::size_t dense_scratch(int, int) { return 0; }
  };

  class Machine : public HostMachine {
   public:
    using Storage = Reference::Storage;
    explicit Machine(Reference) {}
    static constexpr bool fuses(Fusion) { return false; }

    void zero(void* to, std::size_t bytes) {
      enqueue([to, bytes] { std::memset(to, 0, bytes); });
    }
    template <class F>
    void for_each(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto each = prepared(f);
        if (!is_active(each)) return;
        for (std::int64_t i = 0; i < n; ++i) each(i);
      });
    }
    template <class F>
    void for_each_element(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto element = prepared(f);
        if (!is_active(element)) return;
        for (std::int64_t i = 0; i < n; ++i) element(ScalarLane{i});
      });
    }
    template <class F>
    void for_each_team(std::int64_t n, F f) {
      enqueue([n, f] {
        const auto each = prepared(f);
        if (!is_active(each)) return;
        for (std::int64_t i = 0; i < n; ++i) each(SerialTeam{}, i);
      });
    }
    template <class F>
    void sum(std::int64_t n, F f, float* out) {
      enqueue([n, f, out] {
        const auto term = prepared(f);
        float total = 0;
        for (std::int64_t i = 0; i < n; ++i) total += term(ScalarLane{i});
        *out = total;
      });
    }
    template <class X, class Y, class Out>
    void matmul(X x, Y y, Out out) {
      static_assert(X::columns == Y::rows && X::rows == Out::rows && Y::columns == Out::columns);
      enqueue([x, y, out] {
        for (int c = 0; c < Out::columns; ++c)
          for (int r = 0; r < Out::rows; ++r) {
            float total = 0;
            for (int k = 0; k < X::columns; ++k) total += x(r, k) * y(k, c);
            out(r, c) = total;
          }
      });
    }

    /// The first call runs f eagerly, the second stores what f enqueues, later ones replay.
    template <class F>
    class Recording {
     public:
      Recording(Machine& machine, F f) : machine_(&machine), f_(f) {}
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
      Machine* machine_;
      F f_;
      bool warm_ = false;
      std::vector<std::function<void()>> commands_;
    };
    template <class F>
    Recording<F> record(F f) {
      return {*this, f};
    }

   private:
    using Commands = std::vector<std::function<void()>>;

    template <class Command>
    void enqueue(Command command) {
      if (into_ != nullptr)
        into_->emplace_back(command);
      else
        command();
    }
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
};

}  // namespace polyq::backend
