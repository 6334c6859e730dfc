// SPDX-License-Identifier: MIT
// Launch: who this process is among the ranks of a run, as flags, torchrun, Kubernetes, Open MPI,
// MPICH or Slurm say it.
#pragma once
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "polyq/core/error.hpp"

namespace polyq::comm {

struct Launch {
  int rank = 0, size = 1, local_rank = 0;
  std::string address = {};  // of rank 0; empty where nothing names it
  int port = 29500;          // torchrun's default
  std::string source = "no launcher";
};

/// What a command line gave: --rank, --world-size, --local-rank, --master-port, --master-addr.
struct LaunchFlags {
  std::optional<int> rank = {}, size = {}, local_rank = {}, port = {};
  std::optional<std::string> address = {};
};

/// The text of an environment variable, or nullptr.
using Lookup = std::function<const char*(const char*)>;
inline const char* environment_variable(const char* name) { return std::getenv(name); }

namespace detail {

/// A number that may be given, and what messages call it.
struct Given {
  std::string name;
  std::optional<int> value;
};

/// What one launcher says; it says nothing where `rank` has no value.
struct Claim {
  std::string source;
  Given rank, size, local_rank;
};

inline Given number(const char* name, const Lookup& variable) {
  const char* text = variable(name);
  if (!text) return {name, {}};
  int value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  require(error == std::errc{} && stop == end, name, text, "a whole number that an int holds");
  return {name, value};
}

inline Claim read(const char* source, const char* rank, const char* size, const char* local_rank,
                  const Lookup& variable) {
  return {source, number(rank, variable), number(size, variable), number(local_rank, variable)};
}

inline Claim torchrun(const Lookup& variable) {
  Claim claim = read("RANK and WORLD_SIZE", "RANK", "WORLD_SIZE", "LOCAL_RANK", variable);
  // An index without WORLD_SIZE counts runs that have nothing to do with each other.
  if (!claim.rank.value && claim.size.value && variable("JOB_COMPLETION_INDEX")) {
    claim.source = "JOB_COMPLETION_INDEX and WORLD_SIZE";
    claim.rank = number("JOB_COMPLETION_INDEX", variable);
  }
  if (!claim.rank.value || claim.local_rank.value) return claim;
  if (const Given of_host = number("LOCAL_WORLD_SIZE", variable); of_host.value) {
    require(*of_host.value >= 1, of_host.name, *of_host.value, ">= 1");
    claim.local_rank.value = *claim.rank.value % *of_host.value;
  }
  return claim;
}

/// Whether srun started this process as a task: a batch script, and the shell of salloc that is a
/// step of its own, have the variables too, but those of the whole job.
inline bool is_slurm_task(const Lookup& variable) {
  constexpr std::string_view interactive_step = "4294967290";  // SLURM_INTERACTIVE_STEP
  const char* step = variable("SLURM_STEP_ID");
  if (!variable("SLURM_PROCID") || (!step && variable("SLURM_JOB_ID"))) return false;
  return !step || step != interactive_step;
}

inline Claim slurm(const Lookup& variable) {
  if (!is_slurm_task(variable)) return {};
  return read("Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", variable);
}

inline Claim mpich(const Lookup& variable) {
  const auto equal = [&](const char* one, const char* other) {
    const char *a = variable(one), *b = variable(other);
    return a && b && std::strcmp(a, b) == 0;
  };
  // srun --mpi=pmi2 writes these two as well, and torchrun or mpirun below it inherits them: they
  // are Slurm's word then, which says more and is not compared.
  if (!variable("MPI_LOCALRANKID") && is_slurm_task(variable) &&
      equal("PMI_RANK", "SLURM_PROCID") && equal("PMI_SIZE", "SLURM_NTASKS"))
    return {};
  return read("MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", variable);
}

inline void require_with(const Given& one, const Given& other) {
  if (!one.value || other.value) return;
  throw SettingsError(other.name, "polyq: " + one.name + " = " + shown(*one.value) + " but no " +
                                      other.name + "; allowed: both or neither");
}

inline void require_below(const Given& index, const Given& size) {
  require(*index.value >= 0 && *index.value < *size.value, index.name, *index.value,
          ">= 0 and < " + size.name + ", " + shown(*size.value));
}

inline void require_same(const Given& said, const Given& first) {
  require(*said.value == *first.value, said.name, *said.value,
          shown(*first.value) + ", as " + first.name + " says");
}

inline void check(const Claim& claim) {
  require_with(claim.rank, claim.size);
  require_with(claim.size, claim.rank);
  if (!claim.rank.value) return;
  require(*claim.size.value >= 1, claim.size.name, *claim.size.value, ">= 1");
  require_below(claim.rank, claim.size);
}

/// The first claim; those behind it must agree, and may know the local rank where it does not.
inline Claim first_claim(const LaunchFlags& flags, const Lookup& variable) {
  Claim first;
  const Claim claims[] = {{"flags",
                           {"--rank", flags.rank},
                           {"--world-size", flags.size},
                           {"--local-rank", flags.local_rank}},
                          torchrun(variable),
                          read("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                               "OMPI_COMM_WORLD_LOCAL_RANK", variable),
                          mpich(variable)};
  for (const Claim& said : claims) {
    check(said);
    if (!said.rank.value) continue;
    if (!first.rank.value) first = said;
    require_same(said.rank, first.rank);
    require_same(said.size, first.size);
    if (!first.local_rank.value) first.local_rank = said.local_rank;
  }
  // Slurm's is not compared: below mpirun its variables are those of mpirun, or of its daemons.
  if (!first.rank.value) check(first = slurm(variable));
  return first;
}

/// The first host of Slurm's list: n01 of n[01-03,7],m; empty where the list is none.
inline std::string first_host(std::string_view list) {
  std::string host;
  for (std::size_t i = 0; i < list.size() && list[i] != ','; ++i) {
    const auto letter = static_cast<unsigned char>(list[i]);
    if (letter <= ' ' || letter > '~' || letter == ']') return {};
    if (letter != '[') {
      host += list[i];
      continue;
    }
    const std::string_view rest = list.substr(i + 1);
    const std::size_t digits = rest.find_first_not_of("0123456789"), close = rest.find(']');
    if (close == rest.npos || digits == 0) return {};
    if (rest.find_first_of("-,]") != digits) return {};
    host += rest.substr(0, digits);
    i += 1 + close;
  }
  return host;
}

inline std::string address(const LaunchFlags& flags, const std::string& source,
                           const Lookup& variable) {
  const char* named = flags.address ? flags.address->c_str() : variable("MASTER_ADDR");
  if (named) {
    require(*named != 0, flags.address ? "--master-addr" : "MASTER_ADDR", named, "a host");
    return named;
  }
  if (source != "Slurm") return {};
  // The step first: it may run on some hosts of its job.
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"})
    if (const char* list = variable(name)) {
      const std::string host = first_host(list);
      require(!host.empty(), name, list, "hosts as n[1-3,7], or the first one in MASTER_ADDR");
      return host;
    }
  return {};
}

inline int port(const LaunchFlags& flags, const Lookup& variable) {
  const Given given =
      flags.port ? Given{"--master-port", flags.port} : number("MASTER_PORT", variable);
  const int value = given.value.value_or(Launch{}.port);
  require(value >= 1 && value <= 65535, given.name, value, "1 to 65535");
  return value;
}

}  // namespace detail

/// Finds who this process is. The first that says rank and size is believed: flags, torchrun or a
/// Kubernetes Indexed Job, Open MPI, MPICH or Intel MPI, Slurm; where none does, it is rank 0 of 1.
/// A local rank that nothing names is 0, as where each host runs one process. Throws SettingsError
/// where a value cannot be, rank or size stands alone, or launchers disagree.
inline Launch find_launch(const LaunchFlags& flags = {},
                          const Lookup& variable = environment_variable) {
  detail::Claim claim = detail::first_claim(flags, variable);
  const bool launched = claim.rank.value.has_value();
  if (!launched) claim = {Launch{}.source, {"--rank", 0}, {"--world-size", 1}, {}};
  if (flags.local_rank) claim.local_rank = {"--local-rank", flags.local_rank};
  if (claim.local_rank.value) detail::require_below(claim.local_rank, claim.size);
  Launch launch{.rank = *claim.rank.value,
                .size = *claim.size.value,
                .local_rank = claim.local_rank.value.value_or(0),
                .source = claim.source};
  if (launched || flags.address) launch.address = detail::address(flags, claim.source, variable);
  if (launched || flags.port) launch.port = detail::port(flags, variable);
  return launch;
}

/// One line for a program to print.
inline std::string text(const Launch& launch) {
  const std::string line = "rank " + shown(launch.rank) + " of " + shown(launch.size) +
                           ", local rank " + shown(launch.local_rank) + ", by " + launch.source;
  if (launch.address.empty()) return line;
  return line + "; rank 0 is at " + launch.address + ":" + shown(launch.port);
}

}  // namespace polyq::comm
