// SPDX-License-Identifier: MIT
// Hosted: one T for each shard that a rank hosts; where there can be one only, without a count.
#pragma once
#include <cstddef>
#include <vector>

namespace polyq {

/// Filled by make(i) for 0 ≤ i < count.
template <class T, bool Single>
class Hosted {
 public:
  template <class Make>
  Hosted(int count, Make make) {
    all_.reserve(std::size_t(count));
    for (int i = 0; i < count; ++i) all_.push_back(make(i));
  }
  T* begin() { return all_.data(); }
  T* end() { return all_.data() + all_.size(); }
  T& operator[](int i) { return all_[std::size_t(i)]; }

 private:
  std::vector<T> all_;
};

template <class T>
class Hosted<T, true> {
 public:
  template <class Make>
  Hosted(int, Make make) : only_{make(0)} {}
  T* begin() { return only_; }
  T* end() { return only_ + 1; }
  T& operator[](int) { return only_[0]; }

 private:
  T only_[1];
};

}  // namespace polyq
