// SPDX-License-Identifier: MIT
// HostMachine: what every machine on host memory shares: its allocations and its transfers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "polyq/backend/recording_rule.hpp"
#include "polyq/core/error.hpp"

namespace polyq::backend {

class HostMachine : public RecordingRule {
 public:
  struct Release {
    void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{alignment}); }
  };
  template <class T>
  using Owned = std::unique_ptr<T[], Release>;

  /// n uninitialised elements, 256-byte aligned; throws DeviceError when memory for `what` is
  /// refused.
  template <class T>
  Owned<T> allocate(std::size_t n, const char* what = "an array") {
    refuse_in_recording("allocate");
    // Near the end of its range a size wraps to a small one, here or in new's rounding to lines.
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max(), all = ~std::size_t{0};
    const std::size_t bytes = n <= most / sizeof(T) ? n * sizeof(T) : all;
    try {
      if (bytes > most) throw std::bad_alloc();
      return Owned<T>(static_cast<T*>(::operator new (bytes, std::align_val_t{alignment})));
    } catch (const std::bad_alloc&) {
      throw DeviceError("polyq: cannot allocate " + shown(bytes) + " bytes of host memory for " +
                        what + "; lower the replay's capacity or the network's size");
    }
  }
  template <class T>
  void upload(T* to, const T* from, std::size_t n) {
    refuse_in_recording("upload");
    std::copy_n(from, n, to);
  }
  template <class T>
  void download(T* to, const T* from, std::size_t n) {
    refuse_in_recording("download");
    std::copy_n(from, n, to);
  }
  void synchronize() { refuse_in_recording("synchronize"); }

 private:
  static constexpr std::size_t alignment = 256;
};

}  // namespace polyq::backend
