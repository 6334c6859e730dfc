// SPDX-License-Identifier: MIT
// The CUDA runtime behind types that clean up: check, open_device, Stream, Event, Graph, Pinned,
// Pool. Compiles with any host compiler.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "polyq/core/error.hpp"
#include "polyq/core/source_place.hpp"

namespace polyq::backend::cuda {

using Place = core::SourcePlace;

/// What a status means, its name, and what to do where that is known.
inline std::string meaning_of(cudaError_t status) {
  std::string text =
      std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction ||
      status == cudaErrorUnsupportedPtxVersion)
    text += "; this program was compiled for other GPUs, see CMAKE_CUDA_ARCHITECTURES";
  return text;
}

/// Throws DeviceError, naming the call's place, unless the call succeeded.
inline void check(cudaError_t status, Place at = Place::current()) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else the next launch would report it again
  throw DeviceError("polyq: CUDA: " + meaning_of(status) + ", at " + at.text());
}

/// Whether a status is that of work enqueued earlier: such an error stays and is the answer to
/// every later call.
inline bool is_of_earlier_work(cudaError_t status) {
  return (status >= cudaErrorIllegalAddress && status <= cudaErrorLaunchFailure) ||
         status == cudaErrorECCUncorrectable || status == cudaErrorUnknown;
}

/// "13.0" for 13000, as CUDA counts.
inline std::string version_text(int version) {
  return shown(version / 1000) + "." + shown(version % 1000 / 10);
}

/// Makes `device` the calling thread's; throws DeviceError where there is no GPU or its driver is
/// too old, SettingsError where there is none of that number.
inline void open_device(int device) {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    check(cudaDriverGetVersion(&driver));
    check(cudaRuntimeGetVersion(&runtime));
    throw DeviceError(driver == 0 ? "polyq: no CUDA device: no NVIDIA driver is installed"
                                  : "polyq: the NVIDIA driver serves CUDA " + version_text(driver) +
                                        ", this program needs " + version_text(runtime) +
                                        "; update the driver");
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    cudaGetLastError();
    throw DeviceError("polyq: no CUDA device on this machine");
  }
  check(status);
  require(device >= 0 && device < count, "ThrustCuda.device", device,
          "[0, " + shown(count - 1) + "], the devices of this machine");
  check(cudaSetDevice(device));
}

/// Owns what `Destroy` destroys; empty after a move.
template <class Handle, auto Destroy>
class Unique {
 public:
  Unique() = default;
  explicit Unique(Handle handle) : handle_(handle) {}
  Unique(Unique&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  Unique& operator=(Unique&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Unique() {
    if (handle_ != Handle{}) Destroy(handle_);
  }
  explicit operator bool() const { return handle_ != Handle{}; }
  Handle get() const { return handle_; }

 private:
  Handle handle_{};
};

using Stream = Unique<cudaStream_t, cudaStreamDestroy>;
using Event = Unique<cudaEvent_t, cudaEventDestroy>;
using Graph = Unique<cudaGraphExec_t, cudaGraphExecDestroy>;
using Pool = Unique<cudaMemPool_t, cudaMemPoolDestroy>;

/// A stream that the legacy default stream does not wait for.
inline Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}

inline Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return Event(event);
}

/// A memory pool on `device` that keeps what is freed, until it is destroyed.
inline Pool make_pool(int device) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, device};
  cudaMemPool_t pool = nullptr;
  check(cudaMemPoolCreate(&pool, &properties));
  Pool owned(pool);
  std::size_t all = ~std::size_t{0};
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
  return owned;
}

/// Captures what `enqueue` puts on the stream; an exception of it ends and discards the capture.
template <class Enqueue>
Graph capture(cudaStream_t stream, Enqueue&& enqueue) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  try {
    enqueue();
  } catch (...) {
    if (cudaStreamEndCapture(stream, &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream, &graph));
  const Unique<cudaGraph_t, cudaGraphDestroy> captured(graph);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0));
  return Graph(executable);
}

/// Page-locked host memory, from which copies to a device are asynchronous.
struct FreePinned {
  void operator()(std::byte* memory) const { cudaFreeHost(memory); }
};
using Pinned = std::unique_ptr<std::byte[], FreePinned>;
inline Pinned make_pinned(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes));
  return Pinned(static_cast<std::byte*>(memory));
}

}  // namespace polyq::backend::cuda
