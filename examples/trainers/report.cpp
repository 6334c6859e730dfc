// SPDX-License-Identifier: MIT
// The report's words and its JSON.
#include "report.hpp"

#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace trainer {
namespace {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

/// One flat object. Names and texts are the trainers' own and need no escapes.
class Json {
 public:
  void text(const char* name, const std::string& value) { add(name, '"' + value + '"'); }
  void truth(const char* name, bool value) { add(name, value ? "true" : "false"); }
  void whole(const char* name, std::uint64_t value) { add(name, std::to_string(value)); }
  void raw(const char* name, const std::string& value) { add(name, value); }

  /// JSON knows no NaN and no infinity: they are null.
  template <class Real>
  void real(const char* name, Real value) {
    char digits[32];
    char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    add(name, std::isfinite(value) ? std::string(digits, end) : "null");
  }
  std::string line() const { return "{" + fields_ + "}\n"; }

 private:
  void add(const char* name, const std::string& value) {
    if (!fields_.empty()) fields_ += ", ";
    fields_ += '"' + std::string(name) + "\": " + value;
  }
  std::string fields_;
};

const char* name_of(Ending ending) {
  switch (ending) {
    case Ending::budget:
      return "budget";
    case Ending::goal:
      return "goal";
    case Ending::interrupted:
      return "interrupted";
    case Ending::diverged:
      return "diverged";
    case Ending::environment_error:
      return "environment error";
  }
  return "";
}

std::string verdict(const Options& options, const Facts& facts) {
  if (facts.ending == Ending::interrupted) return "interrupted: " + options.env + ",";
  return facts.result.solved ? "solved " + options.env + ":" : "not solved: " + options.env + ",";
}

std::string hidden_sizes() {
  std::string sizes;
  for (const int size : Compiled::hidden)
    sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  return "[" + sizes + "]";
}

/// The agents apart, then the verdict.
std::string lines(const Options& options, const Facts& facts) {
  const polyq::TrainResult& result = facts.result;
  return formatted("best agent (at %" PRIu64
                   " env steps): %.1f +/- %.1f; last agent: %.1f +/- %.1f\n",
                   result.best_env_steps, result.best.mean, result.best.deviation, result.last.mean,
                   result.last.deviation) +
         verdict(options, facts) +
         formatted(" mean return %.1f over %d greedy episodes, %" PRIu64 " env steps, %.1f s\n",
                   result.best.mean, result.best.episodes, result.env_steps, result.seconds);
}

std::string json(const Options& options, const char* backend, const Facts& facts) {
  const polyq::TrainResult& result = facts.result;
  Json object;
  object.text("env", options.env);
  object.text("algo", options.algo);
  object.whole("seed", options.seed);
  object.text("ending", name_of(facts.ending));
  object.truth("solved", result.solved);
  object.whole("env_steps", result.env_steps);
  object.whole("updates", result.updates);
  object.whole("episodes", result.episodes);
  object.real("train_seconds", result.seconds);
  object.real("mean_return", result.best.mean);
  object.real("last_mean_return", result.last.mean);
  object.real("training_return", result.training_return);
  object.real("largest_value", result.largest_value);
  object.real("value_bound", result.value_bound);
  object.text("weights_fnv1a", formatted("%016" PRIx64, facts.weights_fnv1a));
  object.whole("batch_size", Compiled::batch_size);
  object.raw("hidden", hidden_sizes());
  object.whole("num_envs", Compiled::num_envs);
  object.whole("ranks", std::uint64_t(facts.ranks));
  object.whole("shards", std::uint64_t(facts.shards));
  object.whole("global_batch", std::uint64_t(facts.shards) * Compiled::batch_size);
  object.text("reduction", options.reduction == polyq::Reduction::fast ? "fast" : "reproducible");
  object.text("backend", backend);
  return object.line();
}

bool has_failed(const Facts& facts) {
  return facts.ending == Ending::diverged || facts.ending == Ending::environment_error;
}

}  // namespace

int exit_code(const Facts& facts) {
  if (has_failed(facts)) return 2;
  if (facts.ending == Ending::interrupted) return 130;  // the shells' number of an interrupt
  return facts.result.solved ? 0 : 1;
}

int report(const Options& options, const char* backend, const Facts& facts) {
  if (!has_failed(facts)) std::fputs(lines(options, facts).c_str(), stdout);
  if (options.json) std::fputs(json(options, backend, facts).c_str(), stdout);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("error: standard output cannot be written\n", stderr);
    return 2;
  }
  return exit_code(facts);
}

}  // namespace trainer
