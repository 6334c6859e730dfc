// SPDX-License-Identifier: MIT
// Nccl: GPUs as ranks, one process each, over NVIDIA's library. Compiles with any host compiler.
#pragma once
#include <nccl.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>

#include "polyq/backend/cuda_runtime.hpp"
#include "polyq/comm/nccl_of.hpp"

namespace polyq::comm {

static_assert(NCCL_VERSION_CODE >= NCCL_VERSION(2, 18, 0),
              "polyq: comm/nccl.hpp needs NCCL 2.18 or newer");

/// NCCL and CUDA as NcclOf calls them: forwards, none of which waits.
struct NcclApi {
  using Result = ncclResult_t;
  using Comm = ncclComm_t;
  using Id = ncclUniqueId;
  using Stream = cudaStream_t;
  static constexpr Result success = ncclSuccess, in_progress = ncclInProgress;

  static void open_device(int device) { backend::cuda::open_device(device); }
  static Result make_id(Id& id) { return ncclGetUniqueId(&id); }
  static Result begin(Comm& comm, int size, const Id& id, int rank) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    return ncclCommInitRankConfig(&comm, size, id, rank, &config);
  }
  /// How the last call stands, or what went wrong since.
  static Result state(Comm comm) {
    Result state = ncclSuccess;
    const Result asked = ncclCommGetAsyncError(comm, &state);
    return asked == ncclSuccess ? state : asked;
  }
  static Result finalize(Comm comm) { return ncclCommFinalize(comm); }
  static void destroy(Comm comm) { ncclCommDestroy(comm); }
  static void abort(Comm comm) { ncclCommAbort(comm); }

  static Result all_reduce_sum(Comm comm, float* span, std::size_t n, Stream stream) {
    return ncclAllReduce(span, span, n, ncclFloat, ncclSum, comm, stream);
  }
  static Result all_gather(Comm comm, const float* mine, float* all, std::size_t n, Stream stream) {
    return ncclAllGather(mine, all, n, ncclFloat, comm, stream);
  }
  static Result broadcast(Comm comm, float* span, std::size_t n, int root, Stream stream) {
    return ncclBroadcast(span, span, n, ncclFloat, root, comm, stream);
  }
  static Result maximum(Comm comm, std::uint64_t* words, std::size_t n, Stream stream) {
    return ncclAllReduce(words, words, n, ncclUint64, ncclMax, comm, stream);
  }

  /// "ncclRemoteError, remote process exited or there was a network error"
  static std::string text_of(Result result) {
    constexpr const char* names[] = {
        "ncclSuccess",         "ncclUnhandledCudaError", "ncclSystemError", "ncclInternalError",
        "ncclInvalidArgument", "ncclInvalidUsage",       "ncclRemoteError", "ncclInProgress"};
    const auto number = static_cast<std::size_t>(result);
    const std::string name =
        number < std::size(names) ? names[number] : "ncclResult_t " + shown(number);
    return name + ", " + ncclGetErrorString(result);
  }
  static std::string last_error(Comm comm) {
    const char* text = ncclGetLastError(comm);
    return text == nullptr ? "" : text;
  }
  /// Whether starting all ranks again would end in the same.
  static bool is_own_fault(Result result) {
    return result == ncclUnhandledCudaError || result == ncclInvalidArgument ||
           result == ncclInvalidUsage;
  }

  class Event {
   public:
    void record(Stream stream) { backend::cuda::check(cudaEventRecord(event_.get(), stream)); }
    bool is_done() {
      const cudaError_t status = cudaEventQuery(event_.get());
      if (status == cudaErrorNotReady) {
        cudaGetLastError();  // else the next launch would report it
        return false;
      }
      backend::cuda::check(status);
      return true;
    }

   private:
    backend::cuda::Event event_ = backend::cuda::make_event();
  };

  /// n words on the device and their staging on the host, with a stream of their own.
  class Block {
   public:
    explicit Block(std::size_t n)
        : n_(n), host_(backend::cuda::make_pinned(bytes())), device_(allocate()) {}
    std::size_t size() const { return n_; }
    Stream stream() const { return stream_.get(); }
    std::uint64_t* host() { return reinterpret_cast<std::uint64_t*>(host_.get()); }
    std::uint64_t* device() { return device_.get(); }
    void upload() { copy(device(), host(), cudaMemcpyHostToDevice); }
    void download() { copy(host(), device(), cudaMemcpyDeviceToHost); }

   private:
    struct Release {
      Stream stream;
      void operator()(std::uint64_t* memory) const { cudaFreeAsync(memory, stream); }
    };
    std::size_t bytes() const { return n_ * sizeof(std::uint64_t); }
    std::unique_ptr<std::uint64_t[], Release> allocate() {
      void* memory = nullptr;
      backend::cuda::check(cudaMallocAsync(&memory, bytes(), stream()));
      return {static_cast<std::uint64_t*>(memory), Release{stream()}};
    }
    void copy(std::uint64_t* to, const std::uint64_t* from, cudaMemcpyKind kind) {
      backend::cuda::check(cudaMemcpyAsync(to, from, bytes(), kind, stream()));
    }

    std::size_t n_;
    backend::cuda::Stream stream_ = backend::cuda::make_stream();
    backend::cuda::Pinned host_;
    std::unique_ptr<std::uint64_t[], Release> device_;
  };
};

/// Its device is ThrustCuda{.device = ranks.local_rank()}.
using Nccl = NcclOf<NcclApi>;

}  // namespace polyq::comm
