// SPDX-License-Identifier: MIT
// EvaluationLog: a CSV file of the periodic evaluations: env steps and mean greedy return.
#pragma once
#include <cstdio>
#include <memory>
#include <polyq/core/error.hpp>
#include <polyq/train/observer.hpp>
#include <string>

#include "options.hpp"

namespace trainer {

class EvaluationLog {
 public:
  /// Throws UsageError where the file cannot be written.
  explicit EvaluationLog(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "w")) {
    check(file_ != nullptr && std::fputs("env_steps,mean_return\n", file_.get()) >= 0);
  }
  /// A line at once, so that a run that is killed leaves what it has.
  void add(const polyq::Evaluation& evaluation) {
    const std::string line =
        polyq::shown(evaluation.env_steps) + "," + polyq::shown(evaluation.score.mean) + "\n";
    check(std::fputs(line.c_str(), file_.get()) >= 0 && std::fflush(file_.get()) == 0);
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void check(bool written) const {
    if (!written) throw UsageError("--evaluation-log", path_, "a file that can be written");
  }
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace trainer
