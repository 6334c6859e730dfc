// SPDX-License-Identifier: MIT
// The trainers' flags by CLI11, which is slow to compile and therefore stays in this file.
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <polyq/core/config.hpp>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace trainer {
namespace {

/// The shortest text that reads back as the same number.
template <class Number>
std::string text_of(Number number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

template <class Number>
std::string numbers_allowed() {
  using Limits = std::numeric_limits<Number>;
  const std::string most = text_of(Limits::max());
  if constexpr (!Limits::is_integer)
    return "finite numbers, of at most " + most + " either way";
  else if constexpr (Limits::is_signed)
    return "whole numbers up to " + most;
  else
    return "whole numbers from 0 to " + most;
}

/// Not CLI11's own conversion, which reads 010 as 8, -1 as 2^64 - 1, and lets 1e99 overflow.
template <class Number>
Number number_of(const std::string& flag, const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  bool sound = error == std::errc{} && stop == end;
  if constexpr (!std::numeric_limits<Number>::is_integer) sound = sound && std::isfinite(number);
  if (!sound) throw UsageError(flag, text, numbers_allowed<Number>());
  return number;
}

/// The first of an option's names, with its hyphens.
std::string flag_of(const std::string& names) { return names.substr(0, names.find(',')); }

std::string compiled_hidden() {
  std::string sizes;
  for (const int size : Compiled::hidden) sizes += (sizes.empty() ? "" : ",") + text_of(size);
  return sizes;
}

const char* name_of(Device::Kind kind) { return kind == Device::Kind::cuda ? "cuda" : "cpu"; }

/// Levenshtein's distance of two names, letters by case.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1],
                               std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] != b[j])}));
  }
  return row.back();
}

/// Hyphens for the underscores of a name, up to `=`.
void hyphenate(std::string& text) {
  const auto end = text.begin() + std::ptrdiff_t(std::min(text.find('='), text.size()));
  std::replace(text.begin(), end, '_', '-');
}

/// Tables and dotted keys, which CLI11 skips in silence, are refused here.
class FlatToml : public CLI::ConfigBase {
 public:
  explicit FlatToml(const CLI::App& app) : app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::stringstream lines;
    std::set<const CLI::Option*> seen;
    int number = 0;
    for (std::string line; std::getline(input, line); lines << line << '\n') {
      hyphenate(line);
      const CLI::Option* option = option_of(line, ++number);
      if (option != nullptr && !seen.insert(option).second)
        throw UsageError("--config: line " + text_of(number) + ":", line,
                         "each key once, be it under a synonym");
    }
    std::vector<CLI::ConfigItem> items = ConfigBase::from_config(lines);
    for (CLI::ConfigItem& item : items) {
      item.inputs = {CLI::detail::join(item.inputs, ",")};  // [64, 64] becomes 64,64
      const bool truth = item.inputs[0] == "true" || item.inputs[0] == "false";
      if (app_.get_option("--" + item.name)->get_expected_max() == 0 && !truth)
        throw UsageError("--" + item.name, item.inputs[0], "true, false");
    }
    return items;
  }

 private:
  /// The option that a line sets; none for a blank line or a comment.
  const CLI::Option* option_of(const std::string& line, int number) const {
    const std::string text = CLI::detail::trim_copy(line);
    if (text.empty() || text.front() == '#') return nullptr;
    const std::string key = CLI::detail::trim_copy(text.substr(0, text.find('=')));
    constexpr auto letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    const bool plain = !key.empty() && key.find_first_not_of(letters) == std::string::npos;
    if (!plain || key.size() == text.size())
      throw UsageError("--config: line " + text_of(number) + ":", text,
                       "key = value, one a line, without sections");
    const CLI::Option* option = app_.get_option_no_throw("--" + key);
    if (option == nullptr || !option->get_configurable())
      throw UsageError("--config: unknown key", text, "the keys that --print-config prints");
    return option;
  }

  const CLI::App& app_;
};

/// The flags, each bound to its option; options.device is what the trainer was compiled for.
class Flags {
 public:
  Flags(Options& options, const Made& made, const std::string& program)
      : options_(options), made_(made), app_("Trains a DQN agent.", program) {
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.get_formatter()->column_width(42);
    app_.footer(
        "Intervals are env steps. Underscores may stand for hyphens. Exits with 0 when solved, 1\n"
        "when not, 2 on bad input or a run that failed, 75 when a rank was lost and all should be\n"
        "started again, 130 when interrupted.");
    add_run();
    add_ranks();
    add_learning();
    add_acting();
    add_evaluation();
    add_program();
  }

  /// Settings as a file has them.
  void read_settings(const std::string& text) {
    std::istringstream lines(text);
    app_.parse_from_stream(lines);
  }
  /// `arguments` without the program's name.
  void read(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      throw Answer{app_.help()};
    } catch (const CLI::CallForVersion& version) {
      throw Answer{version.what() + std::string("\n")};
    } catch (const CLI::ExtrasError&) {
      throw UsageError("unknown argument", app_.remaining().front(), "the flags that --help lists");
    } catch (const CLI::FileError&) {
      throw UsageError("--config", app_.get_config_ptr()->results().back(),
                       "a file that can be read");
    } catch (const CLI::ConversionError& error) {  // of a flag: other values are converted here
      throw UsageError(std::string(error.what()) + "; allowed: true, false");
    } catch (const CLI::Error& error) {
      throw UsageError(error.what());
    }
    if (app_.get_config_ptr()->count() > 0 && app_.get_config_ptr()->results().back().empty())
      throw UsageError("--config", "''", "a file that can be read");  // CLI11 would read none
    if (list_) throw Answer{listed()};
    find_launch();
    make_defaults_whole();
    refuse_early_unsolved();
    if (print_config_) throw Answer{config()};
  }

 private:
  void add_run() {
    group_ = "Run";
    text("--env,--env-id", options_.env, "environment (compiled in)",
         [this](const std::string& name) { refuse_other_env(name); });
    text("--algo", options_.algo, "algorithm (compiled in)",
         [this](const std::string& name) { refuse_other_algo(name); });
    text("--device", device_, "cpu, or a GPU: cuda, cuda:N (compiled in)",
         [this](const std::string& name) { options_.device = device_of(name); });
    number("--seed", options_.seed, "of everything that is drawn");
    total_timesteps_ = number("--total-timesteps", options_.total_timesteps, "env steps in all");
    size("--num-envs", Compiled::num_envs, "environments that step together");
  }
  void add_ranks() {
    group_ = "Ranks";
    number("--ranks", options_.ranks, "threads that train one agent together");
    text("--reduction", reduction_,
         "fast: a shard a rank; reproducible: the same bits on any ranks",
         [this](const std::string& name) { options_.reduction = reduction_of(name); });
    optional_number("--shards", options_.shards,
                    "batches and replays of an update (default: the ranks; reproducible: 4)");
    number("--deadline-seconds", options_.deadline_seconds, "how long a rank waits for another");
    optional_number("--rank", flags_.rank, "of this process (default: as the launcher says)")
        ->configurable(false);
    optional_number("--world-size", flags_.size, "number of processes")->configurable(false);
    optional_number("--local-rank", flags_.local_rank, "of this process on its host")
        ->configurable(false);
    add(
        "--master-addr", [this](const std::string& given) { flags_.address = given; },
        "host of rank 0", "", "TEXT")
        ->configurable(false);
    optional_number("--master-port", flags_.port, "port of rank 0")->configurable(false);
  }
  void add_learning() {
    group_ = "Learning";
    number("--learning-rate", options_.learning_rate, "Adam's");
    optional_number("--learning-rate-end", options_.learning_rate_end,
                    "falls to this in a line over --total-timesteps");
    size("--batch-size", Compiled::batch_size, "transitions of an update");
    text("--hidden", hidden_, "sizes of the hidden layers (compiled in)", [](const auto& sizes) {
      refuse_unless_compiled("--hidden", sizes, compiled_hidden(), "POLYQ_TRAINER_HIDDEN");
    });
    buffer_size_ = number("--buffer-size", options_.buffer_size, "transitions the replay holds");
    number("--learning-starts", options_.learning_starts, "env steps before the first update");
    number("--train-frequency,--train-freq", options_.train_frequency,
           "env steps from one time of updating to the next");
    number("--gradient-steps", options_.gradient_steps, "updates each time");
    target_network_frequency_ = optional_number(
        "--target-network-frequency,--target-update-interval", options_.target_network_frequency,
        "env steps between two target copies (default: --train-frequency)");
    number("--tau", options_.tau, "part of the online network in a target copy");
    number("--gamma", options_.gamma, "discount");
    if (made_.has_loss)
      text("--loss", loss_, "squared (or mse), or huber",
           [this](const std::string& name) { options_.loss = loss_of(name); });
    if (made_.has_double) flag("--double", options_.double_q_learning, "double Q-learning");
    if (made_.has_support) {
      number("--v-min", options_.v_min, "the least return that a distribution holds");
      number("--v-max", options_.v_max, "the largest");
    }
    if (made_.prioritized) {
      number("--prioritized-replay-alpha", options_.priority_alpha, "exponent of priorities");
      number("--prioritized-replay-beta", options_.priority_beta,
             "exponent of the weights at first; 1 at the run's end");
    }
    number("--max-grad-norm", options_.max_grad_norm, "clips the gradient; 0: no clipping");
    number("--reward-scale", options_.reward_scale, "multiplies the rewards learned from");
    number("--reward-clip", options_.reward_clip,
           "clips them behind the scale, to +/- this; 0: no clipping");
  }
  void add_acting() {
    group_ = "Exploration";
    number("--start-e,--exploration-initial-eps", options_.start_e, "epsilon at first");
    number("--end-e,--exploration-final-eps", options_.end_e, "epsilon at last");
    optional_number("--exploration-fraction", options_.exploration_fraction,
                    "part of --total-timesteps in which epsilon falls (default: 10000 env steps)");
  }
  void add_evaluation() {
    group_ = "Evaluation";
    evaluation_frequency_ =
        number("--evaluation-frequency,--eval-freq", options_.evaluation_frequency,
               "env steps between two evaluations; 0: none");
    number("--evaluation-episodes,--n-eval-episodes", options_.evaluation_episodes,
           "greedy episodes of the report");
    number("--solved-at", options_.solved_at, "mean return that counts as solved");
    number("--stop-at", options_.stop_at, "mean return that stops the run early");
    flag("--no-early-stop", options_.no_early_stop, "train on when solved");
    add(
        "--evaluation-log", [this](const std::string& path) { options_.evaluation_log = path; },
        "writes env steps and mean return of each evaluation as CSV", "", "FILE")
        ->configurable(false);
  }
  void add_program() {
    group_ = "Program";
    flag("--quiet", options_.quiet, "no progress and no notes");
    flag("--json", options_.json, "a JSON object as the last line of standard output");
    app_.set_config("--config", "", "file of flags as flat TOML: key = value")
        ->type_name("FILE")
        ->group(group_);
    app_.config_formatter(std::make_shared<FlatToml>(app_));
    app_.allow_config_extras(CLI::config_extras_mode::error);
    flag("--print-config", print_config_, "print the configuration as such a file and exit")
        ->configurable(false);
    flag("--list", list_, "print the agents that ./train can build, with --json as JSON, and exit")
        ->configurable(false);
    const std::string version = "polyq " + text_of(POLYQ_VERSION_MAJOR) + "." +
                                text_of(POLYQ_VERSION_MINOR) + "." + text_of(POLYQ_VERSION_PATCH);
    app_.set_version_flag("--version", version, "print the library's version and exit")
        ->group(group_);
    app_.set_help_flag("-h,--help", "print this and exit")->group(group_);
  }

  CLI::Option* flag(const std::string& name, bool& value, const std::string& description) {
    return app_.add_flag(name, value, description)->group(group_);
  }
  template <class Check>
  CLI::Option* text(const std::string& name, std::string& value, const std::string& description,
                    Check check) {
    const auto take = [&value, check](const std::string& given) {
      check(given);
      value = given;
    };
    return add(name, take, description, value, "TEXT");
  }
  template <class Number>
  CLI::Option* number(const std::string& names, Number& value, const std::string& description) {
    const auto take = [&value, names](const std::string& given) {
      value = number_of<Number>(flag_of(names), given);
    };
    return add(names, take, description, text_of(value), "NUMBER");
  }
  template <class Number>
  CLI::Option* optional_number(const std::string& name, std::optional<Number>& value,
                               const std::string& description) {
    const auto take = [&value, name](const std::string& given) {
      value = number_of<Number>(flag_of(name), given);
    };
    return add(name, take, description, value ? text_of(*value) : "", "NUMBER");
  }
  CLI::Option* size(const std::string& name, int compiled, const std::string& description) {
    std::string variable = "POLYQ_TRAINER" + name.substr(1);
    for (char& letter : variable) letter = letter == '-' ? '_' : char(std::toupper(letter));
    const auto take = [name, variable, compiled](const std::string& given) {
      refuse_unless_compiled(name, given, text_of(compiled), variable);
    };
    return add(name, take, description + " (compiled in)", text_of(compiled), "NUMBER");
  }
  template <class Take>
  CLI::Option* add(const std::string& names, Take take, const std::string& description,
                   const std::string& initial, const std::string& type) {
    return app_.add_option_function<std::string>(names, take, description)
        ->default_str(initial)
        ->type_name(type)
        ->group(group_);
  }

  /// The name nearest to a mistyped one.
  static std::string nearest(const std::string& name, const std::vector<std::string>& names) {
    return *std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
      return edits(name, a) < edits(name, b);
    });
  }
  void refuse_other_env(const std::string& name) const {
    if (name == made_.env) return;
    const std::vector<std::string> all = names(&Listed::env);
    if (std::find(all.begin(), all.end(), name) == all.end())
      throw UsageError("--env", name,
                       CLI::detail::join(all, ", ") + "; the nearest is " + nearest(name, all));
    refuse_other("--env " + name, name, options_.algo);
  }
  void refuse_other_algo(const std::string& name) const {
    if (name == made_.algo) return;
    const std::vector<std::string> all = names(&Listed::algo);
    if (std::find(all.begin(), all.end(), name) == all.end())
      throw UsageError("--algo", name,
                       CLI::detail::join(all, ", ") + "; the nearest is " + nearest(name, all));
    refuse_other("--algo " + name, options_.env, name);
  }
  [[noreturn]] void refuse_other(const std::string& flag, const std::string& env,
                                 const std::string& algo) const {
    throw UsageError(flag + ": this trainer was compiled for " + made_.env + " by " + made_.algo +
                     "; ./train --env " + env + " --algo " + algo + " builds the other");
  }
  /// The different names of the zoo's environments or algorithms.
  static std::vector<std::string> names(const char* Listed::*name) {
    std::set<std::string> all;
    for (const Listed& agent : zoo_agents()) all.insert(agent.*name);
    return {all.begin(), all.end()};
  }
  std::string listed() const {
    std::string lines, objects;
    for (const char* backend : {"EigenCpu", "ThrustCuda"})
      for (const Listed& agent : zoo_agents()) {
        lines += std::string(agent.env) + "  " + agent.algo + "  " + backend + "\n";
        objects += std::string(objects.empty() ? "" : ",") + "\n  {\"env\": \"" + agent.env +
                   "\", \"algo\": \"" + agent.algo + "\", \"backend\": \"" + backend + "\"}";
      }
    return options_.json ? "[" + objects + "\n]\n" : lines;
  }

  /// Compares sizes number by number, so that 064 is 64 and a blank behind a comma is none.
  static void refuse_unless_compiled(const std::string& flag, const std::string& given,
                                     const std::string& compiled, const std::string& variable) {
    std::string sizes;
    for (const std::string& part : CLI::detail::split(given, ',')) {
      const auto size = number_of<std::uint32_t>(flag, CLI::detail::trim_copy(part));
      if (size < 1) throw UsageError(flag, given, "sizes >= 1");
      sizes += (sizes.empty() ? "" : ",") + text_of(size);
    }
    if (sizes == compiled) return;
    throw UsageError(flag + " " + given + ": this trainer was compiled for " + compiled +
                     "; choose another with: cmake --preset release -D" + variable + "=" + sizes +
                     " && cmake --build --preset release");
  }
  Device device_of(const std::string& name) const {
    const std::string numbered = "cuda:";
    Device device{name.starts_with("cuda") ? Device::Kind::cuda : Device::Kind::cpu};
    bool sound = name == "cpu" || name == "cuda";
    if (name.starts_with(numbered)) {
      const char* end = name.data() + name.size();
      const auto [stop, error] = std::from_chars(name.data() + numbered.size(), end, device.number);
      sound = error == std::errc{} && stop == end && device.number >= 0;
    }
    if (!sound) throw UsageError("--device", name, "cpu, cuda, cuda:N with N from 0 on");
    const Device::Kind compiled = options_.device.kind;
    if (device.kind != compiled)
      throw UsageError("--device " + name + ": this trainer was compiled for " + name_of(compiled) +
                       "; ./train --device " + name + " builds the other");
    return device;
  }
  static polyq::Reduction reduction_of(const std::string& name) {
    if (name == "fast") return polyq::Reduction::fast;
    if (name == "reproducible") return polyq::Reduction::reproducible;
    throw UsageError("--reduction", name, "fast, reproducible");
  }
  void find_launch() {
    options_.launch = polyq::comm::find_launch(flags_);
    const bool cuda = options_.device.kind == Device::Kind::cuda;
    if (options_.ranks == 1) return;
    const std::string ranks = text_of(options_.ranks);
    if (cuda) throw UsageError("--ranks", ranks + " with --device cuda", "1; a GPU is a process");
    if (options_.launch.size > 1)
      throw UsageError("--ranks", ranks + " in " + polyq::comm::text(options_.launch), "1");
  }
  /// Defaults that no flag gave become whole for the environments of all shards.
  void make_defaults_whole() {
    const int shards = shard_count(options_);
    if (total_timesteps_->empty())
      options_.total_timesteps = whole_steps(options_.total_timesteps, shards);
    if (evaluation_frequency_->empty())
      options_.evaluation_frequency = whole_steps(options_.evaluation_frequency, shards);
    if (buffer_size_->empty())
      options_.buffer_size = std::int64_t(whole_steps(std::uint64_t(options_.buffer_size), shards));
  }
  static Loss loss_of(const std::string& name) {
    if (name == "squared" || name == "mse") return Loss::squared;
    if (name == "huber") return Loss::huber;
    throw UsageError("--loss", name, "squared (synonym mse), huber");
  }
  /// A run that stopped below what counts as solved would have stopped too early.
  void refuse_early_unsolved() const {
    if (options_.no_early_stop || options_.stop_at >= options_.solved_at) return;
    throw UsageError("--stop-at", text_of(options_.stop_at),
                     ">= --solved-at, " + text_of(options_.solved_at));
  }
  std::string config() {
    target_network_frequency_->default_str(
        text_of(options_.target_network_frequency.value_or(options_.train_frequency)));
    total_timesteps_->default_str(text_of(options_.total_timesteps));
    evaluation_frequency_->default_str(text_of(options_.evaluation_frequency));
    buffer_size_->default_str(text_of(options_.buffer_size));
    return app_.config_to_str(/*default_also=*/true);
  }

  Options& options_;
  const Made& made_;
  CLI::App app_;
  std::string group_;
  std::string device_ = name_of(options_.device.kind);
  std::string hidden_ = compiled_hidden();
  std::string loss_ = options_.loss == Loss::huber ? "huber" : "squared";
  std::string reduction_ = options_.reduction == polyq::Reduction::fast ? "fast" : "reproducible";
  bool print_config_ = false, list_ = false;
  polyq::comm::LaunchFlags flags_;
  CLI::Option *target_network_frequency_ = nullptr, *total_timesteps_ = nullptr,
              *evaluation_frequency_ = nullptr, *buffer_size_ = nullptr;
};

/// The arguments behind the program's name, with flags spelled by hyphens.
std::vector<std::string> with_hyphens(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (std::string& argument : arguments)
    if (argument.starts_with("--")) hyphenate(argument);
  return arguments;
}

}  // namespace

int shard_count(const Options& options) {
  const bool fast = options.reduction == polyq::Reduction::fast;
  return fast ? std::max({1, options.ranks, options.launch.size})
              : std::max(1, options.shards.value_or(polyq::default_shards));
}

Options parse(int argc, const char* const* argv, const Made& made) {
  Options options;
  options.device.kind = made.device;
  options.env = made.env;
  options.algo = made.algo;
  if (made.explores) options.start_e = options.end_e = 0;
  if (made.goal) {
    options.solved_at = made.goal->solved;
    options.stop_at = made.goal->stop;
  }
  Flags(options, made, "zoo").read_settings(made.zoo);
  Flags flags(options, made, argc > 0 ? argv[0] : "trainer");  // shows the zoo's as defaults
  flags.read(with_hyphens(argc, argv));
  return options;
}

}  // namespace trainer
