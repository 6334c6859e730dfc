// SPDX-License-Identifier: MIT
// Golden: named tensors from a text file of tests/data.
#pragma once
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

struct Tensor {
  int rows = 0, columns = 0;
  std::vector<double> values;  // row by row
  double operator()(int row, int column = 0) const { return values[row * columns + column]; }
};

class Golden {
 public:
  explicit Golden(const std::string& file) : file_(file) {
    std::ifstream in(std::string(POLYQ_TEST_DATA) + "/" + file);
    if (!in) throw std::runtime_error("cannot read " + file);
    while (in.peek() == '#') in.ignore(1 << 20, '\n');
    std::string name;
    Tensor tensor;
    while (in >> name >> tensor.rows >> tensor.columns) {
      tensor.values.resize(std::size_t(tensor.rows) * tensor.columns);
      for (double& value : tensor.values)
        if (!(in >> value)) throw std::runtime_error(file + ": " + name + " is cut short");
      tensors_[name] = tensor;
    }
  }
  const Tensor& operator[](const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw std::runtime_error(file_ + " has no " + name);
    return found->second;
  }

 private:
  std::string file_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace test
