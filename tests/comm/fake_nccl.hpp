// SPDX-License-Identifier: MIT
// FakeNccl: NCCL and CUDA as a communicator calls them, where neither is: ranks are threads, and
// what a rank's calls answer is scripted. As there, work that is recorded holds the communicator:
// an abort waits for its end. FakeGpu: the host as a GPU whose work stands on a stream.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <polyq/backend/reference.hpp>
#include <polyq/comm/threads.hpp>
#include <polyq/core/error.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace test {

/// Takes work as a GPU's stream does; its own is done at once.
struct FakeStream {
  using Work = std::function<void()>;
  std::function<void(const Work&)> put = [](const Work& work) { work(); };
};

struct FakeGpu {
  static constexpr polyq::backend::Memory memory = polyq::backend::Memory::device;

  class Machine : public polyq::backend::Reference::Machine {
    struct Do {
      FakeStream::Work work;
      void operator()(std::int64_t) const { work(); }
    };

   public:
    explicit Machine(FakeGpu = {}) : polyq::backend::Reference::Machine({}) {
      stream_.put = [this](const FakeStream::Work& work) { for_each(1, Do{work}); };
    }
    const FakeStream* stream() const { return &stream_; }
    void synchronize() {
      if (!fault.empty()) throw polyq::DeviceError(fault);
      polyq::backend::Reference::Machine::synchronize();
    }
    std::string fault;  // what its enqueued work did

   private:
    FakeStream stream_;
  };
};

struct FakeNccl {
  enum class Result { success, in_progress, remote, own };

  /// Of the calling thread's rank.
  struct Script {
    // What it pretends.
    bool alone = false;   // the other ranks never come: nothing moves, nobody is waited for
    int polls = 0;        // how often a call is in progress and an event not ready
    std::string refused;  // the call that answers with `answer`
    std::string broken;   // the call, or "event", behind which the state comes to be `answer`
    std::string hanging;  // the call, or "event", that never ends
    Result answer = Result::remote;
    std::string device_fault, block_fault;  // of what events, and of what blocks, throw
    std::string last_error;
    // What it saw.
    bool waits = false;              // for an event
    std::vector<std::string> calls;  // of NCCL, in order, but for aborts, of any thread
    std::shared_ptr<std::atomic<int>> aborts = std::make_shared<std::atomic<int>>(0);
  };
  static Script& script() {
    thread_local Script mine;
    return mine;
  }

  struct Id {
    std::array<std::uint64_t, 16> words;
  };
  struct Group {
    explicit Group(int size) : threads(std::make_shared<polyq::comm::ThreadGroup>(size)) {}
    std::shared_ptr<polyq::comm::ThreadGroup> threads;
    std::atomic<int> joined{0};
  };
  struct Communicator {
    std::shared_ptr<Group> group;
    std::unique_ptr<polyq::comm::ThreadTransport> transport;
    std::shared_ptr<std::atomic<int>> aborts;
    int size, polls = 0;
    Result becomes = Result::success;
    bool finalized = false;
    std::atomic<int> held{0};  // by work that is under way or recorded
  };
  using Comm = Communicator*;
  using Stream = const FakeStream*;
  static constexpr Result success = Result::success, in_progress = Result::in_progress;
  static constexpr int forever = 1 << 30;
  static inline std::atomic<int> alive{0};      // communicators
  static inline std::atomic<int> undefined{0};  // calls that differ, which NCCL does not compare

  /// Whether all communicators end, aborts too.
  static bool all_end() {
    return comes([] { return alive == 0; });
  }
  template <class Condition>
  static bool comes(Condition condition) {
    for (int turn = 0; turn < 30'000 && !condition(); ++turn)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }

  static void open_device(int device) {
    script().calls.push_back("open_device " + std::to_string(device));
    if (script().refused == "open_device") throw polyq::DeviceError("no such device");
  }
  static Result make_id(Id& id) {
    const char* place = std::getenv("NCCL_COMM_ID");
    script().calls.push_back(place ? std::string("make_id at ") + place : "make_id");
    if (script().refused == "make_id") return script().answer;
    static std::atomic<std::uint64_t> made{0};
    for (std::uint64_t& word : id.words) word = ++made;
    return success;
  }
  static Result begin(Comm& comm, int size, const Id& id, int rank) {
    script().calls.push_back("begin " + std::to_string(size) + " as " + std::to_string(rank));
    if (script().refused == "begin") return script().answer;
    ++alive;
    comm = new Communicator{nullptr, nullptr, script().aborts, size};
    if (!script().alone) {
      comm->group = group_of(id, size);
      comm->transport = std::make_unique<polyq::comm::ThreadTransport>(
          comm->group->threads, rank, polyq::comm::default_deadline);
      ++comm->group->joined;
    }
    return begun(comm, "begin");
  }
  static Result state(Comm comm) {
    if (comm->polls > 0) {
      --comm->polls;
      return in_progress;
    }
    if (script().waits && script().broken == "event") return script().answer;
    if (comm->group && comm->group->joined < comm->size) return in_progress;
    if (comm->finalized && comm->held > 0) return in_progress;
    return comm->becomes;
  }
  static Result finalize(Comm comm) {
    comm->finalized = true;
    return answer(comm, "finalize");
  }
  static void destroy(Comm comm) {
    script().calls.push_back("destroy");
    remove(comm);
  }
  static void abort(Comm comm) {
    ++*comm->aborts;
    if (comm->transport) comm->transport->abort("aborted");
    while (comm->held > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    remove(comm);
  }

  static Result all_reduce_sum(Comm comm, float* span, std::size_t n, Stream stream) {
    put(comm, stream, [=](auto& transport) { transport.all_reduce_sum({span, n}); });
    return answer(comm, "all_reduce_sum");
  }
  static Result all_gather(Comm comm, const float* mine, float* all, std::size_t n, Stream stream) {
    put(comm, stream, [=](auto& transport) {
      transport.all_gather({mine, n}, {all, n * std::size_t(transport.size())});
    });
    return answer(comm, "all_gather");
  }
  static Result broadcast(Comm comm, float* span, std::size_t n, int root, Stream stream) {
    put(comm, stream, [=](auto& transport) { transport.broadcast({span, n}, root); });
    return answer(comm, "broadcast");
  }
  static Result maximum(Comm comm, std::uint64_t* words, std::size_t n, Stream stream) {
    put(comm, stream, [=](auto& transport) { transport.agree({words, n}); });
    return answer(comm, "maximum");
  }

  static std::string text_of(Result result) {
    return result == Result::remote ? "fakeRemote, a rank is gone" : "fakeOwn, a wrong argument";
  }
  static std::string last_error(Comm) { return script().last_error; }
  static bool is_own_fault(Result result) { return result == Result::own; }

  class Event {
   public:
    void record(Stream) {
      polls_ = script().hanging == "event" ? forever : script().polls;
      script().waits = true;
    }
    bool is_done() {
      if (!script().device_fault.empty()) throw polyq::DeviceError(script().device_fault);
      return polls_-- <= 0;
    }

   private:
    int polls_ = 0;
  };

  class Block {
   public:
    explicit Block(std::size_t n) : host_(n), device_(n) { touch(); }
    std::size_t size() const { return host_.size(); }
    Stream stream() const { return &stream_; }
    std::uint64_t* host() { return host_.data(); }
    std::uint64_t* device() { return device_.data(); }
    void upload() {
      touch();
      device_ = host_;
    }
    void download() {
      touch();
      host_ = device_;
    }

   private:
    static void touch() {
      if (!script().block_fault.empty()) throw polyq::DeviceError(script().block_fault);
    }
    std::vector<std::uint64_t> host_, device_;
    FakeStream stream_;
  };

 private:
  static std::shared_ptr<Group> group_of(const Id& id, int size) {
    static std::mutex mutex;
    static std::map<std::array<std::uint64_t, 16>, std::shared_ptr<Group>> groups;
    const std::lock_guard lock(mutex);
    std::shared_ptr<Group>& group = groups[id.words];
    if (!group) group = std::make_shared<Group>(size);
    return group;
  }
  static Result answer(Comm comm, const char* call) {
    script().calls.push_back(call);
    if (script().refused == call) return script().answer;
    return begun(comm, call);
  }
  static Result begun(Comm comm, const char* call) {
    comm->polls = script().hanging == call ? forever : script().polls;
    if (script().broken == call) comm->becomes = script().answer;
    return in_progress;
  }
  /// Puts what moves on the stream; where the others are gone, the communicator comes to say so.
  template <class Move>
  static void put(Comm comm, Stream stream, Move move) {
    ++comm->held;
    const std::shared_ptr<Communicator> held(comm, [](Comm comm) { --comm->held; });
    stream->put([held, move] {
      try {
        if (held->transport) move(*held->transport);
      } catch (const polyq::CommError& error) {
        if (error.kind == polyq::CommError::Kind::differs)
          ++undefined;
        else
          held->becomes = Result::remote;
      }
    });
  }
  static void remove(Comm comm) {
    --alive;
    delete comm;
  }
};

}  // namespace test
