// SPDX-License-Identifier: MIT
// ThrustCuda: one GPU. Functors through Thrust on one stream, teams as blocks, sums through CUB,
// products through cuBLAS, recordings as CUDA graphs.
#pragma once
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <thrust/system/cuda/execution_policy.h>
#include <thrust/system_error.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <cub/device/device_reduce.cuh>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "polyq/backend/block_team.cuh"
#include "polyq/backend/concept.hpp"
#include "polyq/backend/cuda_blas.hpp"
#include "polyq/backend/cuda_fused.cuh"
#include "polyq/backend/cuda_runtime.hpp"
#include "polyq/backend/recording_rule.hpp"
#include "polyq/backend/thrust.hpp"

namespace polyq::backend {

namespace cuda {

// What a device runs for a functor; on a device only, so that one that lacks POLYQ_HD is an error.
template <class F>
struct Each {
  F f;
  __device__ void operator()(std::int64_t i) const {
    const auto each = prepared(f);
    if (is_active(each)) each(i);
  }
};
template <class F>
struct Element {
  F f;
  __device__ void operator()(std::int64_t i) const {
    const auto element = prepared(f);
    if (is_active(element)) element(ScalarLane{i});
  }
};
template <class F>
struct Term {
  F f;
  __device__ float operator()(std::int64_t i) const { return prepared(f)(ScalarLane{i}); }
};
struct Plus {
  POLYQ_HD float operator()(float a, float b) const { return a + b; }
};

}  // namespace cuda

/// Settings: which of the machine's GPUs, and whether to look for the enqueue that fails.
template <Fusion... claims>
struct Thrust<thrust::cuda::tag, claims...> {
  static constexpr Memory memory = Memory::device;
  using Storage = ThrustStorage;

  int device = 0;
  /// Waits behind every enqueue and records nothing, so that an error names the one that failed.
  bool wait_after_each = false;

  class Machine;
};

/// One GPU.
using ThrustCuda = Thrust<thrust::cuda::tag>;
/// The same, which claims `dense` by cublasLt's epilogues.
using ThrustCudaFused = Thrust<thrust::cuda::tag, Fusion::dense>;

/// A device a thread: its number stays the thread's current one. What fails on the device is thrown
/// as DeviceError by the call that meets it, with the places that enqueued since the last wait.
template <Fusion... claims>
class Thrust<thrust::cuda::tag, claims...>::Machine : public RecordingRule,
                                                      public cuda::FusedDense<Machine> {
  friend cuda::FusedDense<Machine>;
  using Place = core::SourcePlace;

 public:
  using Storage = ThrustStorage;
  struct Release {
    cudaStream_t stream;
    void operator()(void* memory) const { cudaFreeAsync(memory, stream); }
  };
  template <class T>
  using Owned = std::unique_ptr<T[], Release>;

  explicit Machine(Thrust settings)
      : device_((cuda::open_device(settings.device), settings.device)),
        wait_after_each_(settings.wait_after_each),
        stream_(cuda::make_stream()),
        pool_(cuda::make_pool(settings.device)),
        blas_workspace_(allocate<std::byte>(cuda::Blas::workspace_bytes, "cuBLAS")),
        sum_scratch_(allocate<std::byte>(sum_bytes, "sums")),
        blas_(stream_.get(), blas_workspace_.get()),
        blas_lt_(stream_.get(), blas_workspace_.get()) {
    for (Staging& staging : staging_)
      staging = {cuda::make_pinned(staging_bytes), cuda::make_event()};
  }
  ~Machine() { cudaStreamSynchronize(stream_.get()); }

  static constexpr bool fuses(Fusion fusion) { return ((fusion == claims) || ...); }

  /// n uninitialised elements, 256-byte aligned; throws DeviceError when memory for `what` is
  /// refused.
  template <class T>
  Owned<T> allocate(std::size_t n, const char* what = "an array") {
    refuse_in_recording("allocate");
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
    const std::size_t bytes = n <= most / sizeof(T) ? n * sizeof(T) : most;
    void* memory = nullptr;
    const std::size_t at_least_one = std::max<std::size_t>(bytes, 1);
    const cudaError_t status =
        cudaMallocFromPoolAsync(&memory, at_least_one, pool_.get(), stream_.get());
    if (status == cudaErrorMemoryAllocation || status == cudaErrorInvalidValue) {
      cudaGetLastError();
      std::size_t free = 0, total = 0;
      cuda::check(cudaMemGetInfo(&free, &total));
      throw DeviceError("polyq: cannot allocate " + shown(bytes) + " bytes on CUDA device " +
                        shown(device_) + " for " + what + "; " + shown(free) + " of its " +
                        shown(total) +
                        " are free; lower the replay's capacity or the network's size");
    }
    cuda::check(status);
    return Owned<T>(static_cast<T*>(memory), Release{stream_.get()});
  }

  void zero(void* to, std::size_t bytes, Place at = Place::current()) {
    require_success(cudaMemsetAsync(to, 0, bytes, stream_.get()), at);
    enqueued(at);
  }
  /// Through page-locked memory: `from` may change once this returns.
  template <class T>
  void upload(T* to, const T* from, std::size_t n, Place at = Place::current()) {
    refuse_in_recording("upload");
    const std::byte* source = reinterpret_cast<const std::byte*>(from);
    std::byte* target = reinterpret_cast<std::byte*>(to);
    for (std::size_t left = n * sizeof(T); left > 0;) {
      const std::size_t part = std::min(left, staging_bytes);
      const Staging& staging = staging_[staged_++ % staging_.size()];
      require_success(cudaEventSynchronize(staging.copied.get()), at);
      std::memcpy(staging.memory.get(), source, part);
      require_success(cudaMemcpyAsync(target, staging.memory.get(), part, cudaMemcpyHostToDevice,
                                      stream_.get()),
                      at);
      require_success(cudaEventRecord(staging.copied.get(), stream_.get()), at);
      source += part, target += part, left -= part;
    }
    enqueued(at);
  }
  /// Waits.
  template <class T>
  void download(T* to, const T* from, std::size_t n, Place at = Place::current()) {
    refuse_in_recording("download");
    require_success(cudaMemcpyAsync(to, from, n * sizeof(T), cudaMemcpyDeviceToHost, stream_.get()),
                    at);
    require_success(cudaStreamSynchronize(stream_.get()), at);
    places_.clear();
  }
  void synchronize(Place at = Place::current()) {
    refuse_in_recording("synchronize");
    require_success(cudaStreamSynchronize(stream_.get()), at);
    places_.clear();
  }

  /// The machine's own, on which others enqueue behind its work, as NCCL does.
  cudaStream_t stream() const { return stream_.get(); }

  template <class F>
  void for_each(std::int64_t n, F f, Place at = Place::current()) {
    run(n, cuda::Each<F>{f}, at);
  }
  template <class F>
  void for_each_element(std::int64_t n, F f, Place at = Place::current()) {
    run(n, cuda::Element<F>{f}, at);
  }
  template <class F>
  void for_each_team(std::int64_t n, F f, Place at = Place::current()) {
    if (n == 0) return;
    cuda::launch_teams(n, f, stream_.get());
    require_success(cudaGetLastError(), at);
    enqueued(at);
  }
  template <class F>
  void sum(std::int64_t n, F f, float* out, Place at = Place::current()) {
    std::size_t bytes = 0;
    const auto terms = thrust::make_transform_iterator(first(), cuda::Term<F>{f});
    const auto reduce = [&](void* scratch) {
      require_success(cub::DeviceReduce::Reduce(scratch, bytes, terms, out, n, cuda::Plus{}, 0.f,
                                                stream_.get()),
                      at);
    };
    reduce(nullptr);
    require(bytes <= sum_bytes, "bytes of scratch of a sum", bytes, "<= " + shown(sum_bytes));
    reduce(sum_scratch_.get());
    enqueued(at);
  }
  template <class X, class Y, class Out>
  void matmul(X x, Y y, Out out, Place at = Place::current()) {
    blas_.product(x, y, out);
    enqueued(at);
  }

  /// The first call runs f eagerly, so that libraries set up what they need; the second captures a
  /// graph; every call from then on launches it. Enqueues.
  template <class F>
  class Recording {
   public:
    Recording(Machine& machine, F f, Place at) : machine_(&machine), f_(f), at_(at) {}
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    void operator()() {
      const RecordingScope scope(*machine_);
      if (!warm_ || machine_->wait_after_each_) {
        f_();
        warm_ = true;
        return;
      }
      if (!graph_) graph_ = cuda::capture(machine_->stream_.get(), f_);
      machine_->require_success(cudaGraphLaunch(graph_.get(), machine_->stream_.get()), at_);
      machine_->enqueued(at_);
    }

   private:
    Machine* machine_;
    F f_;
    Place at_;
    bool warm_ = false;
    cuda::Graph graph_;
  };
  template <class F>
  Recording<F> record(F f, Place at = Place::current()) {
    return {*this, f, at};
  }

 private:
  static constexpr std::size_t sum_bytes = std::size_t{1} << 20;
  static constexpr std::size_t staging_bytes = std::size_t{1} << 20;
  struct Staging {
    cuda::Pinned memory;
    cuda::Event copied;
  };

  static auto first() { return thrust::counting_iterator<std::int64_t>(0); }

  template <class F>
  void run(std::int64_t n, F f, const Place& at) {
    try {
      thrust::for_each_n(thrust::cuda::par_nosync.on(stream_.get()), first(), n, f);
    } catch (const thrust::system_error& error) {
      require_success(cudaError_t(error.code().value()), at);
      throw DeviceError(std::string("polyq: Thrust: ") + error.what());
    }
    enqueued(at);
  }

  /// Remembers who enqueued since the last wait.
  void enqueued(const Place& at) {
    const auto same = [&](const Place& place) {
      return place.line == at.line && std::strcmp(place.file, at.file) == 0;
    };
    if (std::none_of(places_.rbegin(), places_.rend(), same)) places_.push_back(at);
    if (wait_after_each_) require_success(cudaStreamSynchronize(stream_.get()), at);
  }
  /// Throws DeviceError for a call that failed: with its place or, where work enqueued earlier did,
  /// with the places that enqueued since the last wait.
  void require_success(cudaError_t status, const Place& at) {
    if (status == cudaSuccess) return;
    if (!cuda::is_of_earlier_work(status)) cuda::check(status, at);
    cudaGetLastError();
    std::string message = "polyq: CUDA: " + cuda::meaning_of(status) + ", found at " + at.text() +
                          "; enqueued since the last wait by";
    for (const Place& place : places_) message.append(" ").append(place.text());
    if (!wait_after_each_) message += "; ThrustCuda{.wait_after_each = true} names the one";
    throw DeviceError(message);
  }

  int device_;
  bool wait_after_each_;
  cuda::Stream stream_;
  cuda::Pool pool_;
  Owned<std::byte> blas_workspace_, sum_scratch_;
  cuda::Blas blas_;
  cuda::BlasLt blas_lt_;
  std::array<Staging, 2> staging_;
  std::size_t staged_ = 0;
  std::vector<Place> places_;
};

}  // namespace polyq::backend
