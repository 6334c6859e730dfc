// SPDX-License-Identifier: MIT
// find_launch: every launcher's variables, their order, what completes them, and each refusal; the
// first host of Slurm's lists, also of random bytes.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <polyq/comm/launch.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace comm = polyq::comm;
using comm::Launch, comm::LaunchFlags;
using Variables = std::map<std::string, std::string>;

Launch launch_of(const Variables& variables, const LaunchFlags& flags = {}) {
  return comm::find_launch(flags, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

struct Refusal {
  std::string field, message;
};

Refusal refusal(const Variables& variables, const LaunchFlags& flags = {}) {
  try {
    launch_of(variables, flags);
  } catch (const polyq::SettingsError& error) {
    return {error.field, error.what()};
  }
  return {"", "nothing"};
}

Variables operator+(Variables some, const Variables& others) {
  for (const auto& [name, value] : others) some[name] = value;
  return some;
}

struct Case {
  Variables variables;
  std::string line;
  LaunchFlags flags = {};
};

void check_lines(const std::vector<Case>& cases) {
  for (const auto& [variables, line, flags] : cases)
    CHECK(text(launch_of(variables, flags)) == line);
}

struct Refused {
  Variables variables;
  std::string field, message;  // behind "polyq: "
  LaunchFlags flags = {};
};

void check_refusals(const std::vector<Refused>& cases) {
  for (const auto& [variables, field, message, flags] : cases) {
    const Refusal met = refusal(variables, flags);
    CHECK(met.message == "polyq: " + message);
    CHECK(met.field == field);
  }
}

const LaunchFlags second_of_four{.rank = 1, .size = 4};
const Variables torchrun{{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}};
const Variables kubernetes{{"JOB_COMPLETION_INDEX", "1"}, {"WORLD_SIZE", "4"}};
const Variables open_mpi{{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "4"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}};
const Variables mpich{{"PMI_RANK", "1"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}};
const Variables slurm_job{{"SLURM_JOB_ID", "77"}, {"SLURM_JOB_NODELIST", "node[1-2]"}};
const Variables slurm_numbers{{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}, {"SLURM_LOCALID", "1"}};
const Variables slurm = slurm_job + slurm_numbers + Variables{{"SLURM_STEP_ID", "0"}};
const Variables pmi_of_srun{{"PMI_RANK", "1"}, {"PMI_SIZE", "4"}};
const Variables master{{"MASTER_ADDR", "head"}, {"MASTER_PORT", "1234"}};

}  // namespace

TEST_CASE("each launcher is understood") {
  check_lines({
      {{}, "rank 0 of 1, local rank 0, by no launcher"},
      {{}, "rank 1 of 4, local rank 0, by flags", second_of_four},
      {torchrun, "rank 1 of 4, local rank 1, by RANK and WORLD_SIZE"},
      {kubernetes, "rank 1 of 4, local rank 0, by JOB_COMPLETION_INDEX and WORLD_SIZE"},
      {open_mpi, "rank 1 of 4, local rank 1, by Open MPI"},
      {mpich, "rank 1 of 4, local rank 1, by MPICH"},
      {pmi_of_srun, "rank 1 of 4, local rank 0, by MPICH"},
      {slurm, "rank 1 of 4, local rank 1, by Slurm; rank 0 is at node1:29500"},
      {slurm_numbers, "rank 1 of 4, local rank 1, by Slurm"},
  });
}

TEST_CASE("Launch has the numbers that its line shows") {
  const Launch found = launch_of(slurm + Variables{{"MASTER_PORT", "65535"}});
  CHECK(found.rank == 1);
  CHECK(found.size == 4);
  CHECK(found.local_rank == 1);
  CHECK(found.address == "node1");
  CHECK(found.port == 65535);
  CHECK(found.source == "Slurm");
  CHECK(launch_of(torchrun).address.empty());
  CHECK(launch_of(torchrun).port == 29500);
}

TEST_CASE("the process's own environment is the default") {
  // What a launcher of the tests themselves may have set.
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE"})
    unsetenv(name);
  for (const auto& [name, value] : torchrun + master) setenv(name.c_str(), value.c_str(), 1);
  CHECK(text(comm::find_launch()) ==
        "rank 1 of 4, local rank 1, by RANK and WORLD_SIZE; rank 0 is at head:1234");
  for (const auto& [name, value] : torchrun + master) unsetenv(name.c_str());
  CHECK(comm::environment_variable("RANK") == nullptr);
}

TEST_CASE("the first that says rank and size is believed") {
  const Variables all = torchrun + open_mpi + mpich + slurm;
  check_lines({
      {all, "rank 1 of 4, local rank 3, by flags", {.rank = 1, .size = 4, .local_rank = 3}},
      {all, "rank 1 of 4, local rank 1, by RANK and WORLD_SIZE"},
      {open_mpi + mpich + slurm, "rank 1 of 4, local rank 1, by Open MPI"},
      {mpich + slurm, "rank 1 of 4, local rank 1, by MPICH"},
  });
}

TEST_CASE("the local rank") {
  const Variables no_local{{"RANK", "5"}, {"WORLD_SIZE", "8"}};
  check_lines({
      {no_local, "rank 5 of 8, local rank 0, by RANK and WORLD_SIZE"},
      {no_local + Variables{{"LOCAL_WORLD_SIZE", "4"}},
       "rank 5 of 8, local rank 1, by RANK and WORLD_SIZE"},
      {no_local + Variables{{"LOCAL_WORLD_SIZE", "4"}, {"LOCAL_RANK", "3"}},
       "rank 5 of 8, local rank 3, by RANK and WORLD_SIZE"},
      {{{"JOB_COMPLETION_INDEX", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "1"}},
       "rank 3 of 4, local rank 0, by JOB_COMPLETION_INDEX and WORLD_SIZE"},
      {torchrun, "rank 1 of 4, local rank 1, by flags", second_of_four},  // torchrun knows it
      {open_mpi, "rank 1 of 4, local rank 2, by Open MPI", {.local_rank = 2}},
      {{}, "rank 0 of 1, local rank 0, by no launcher", {.local_rank = 0}},
  });
}

TEST_CASE("RANK is believed before the index of a Kubernetes job") {
  check_lines({{torchrun + Variables{{"JOB_COMPLETION_INDEX", "0"}},
                "rank 1 of 4, local rank 1, by RANK and WORLD_SIZE"}});
}

TEST_CASE("what is no launch") {
  const std::string alone = "rank 0 of 1, local rank 0, by no launcher";
  check_lines({
      {{{"JOB_COMPLETION_INDEX", "7"}}, alone},      // independent runs
      {{{"JOB_COMPLETION_INDEX", "seven"}}, alone},  // nobody reads it
      {{{"LOCAL_RANK", "3"}}, alone},
      {{{"OMPI_COMM_WORLD_LOCAL_RANK", "3"}}, alone},
      {slurm_job + slurm_numbers, alone},                           // a batch script
      {slurm + Variables{{"SLURM_STEP_ID", "4294967290"}}, alone},  // the shell of salloc
      {{{"SLURM_NTASKS", "4"}}, alone},  // an option of srun, by the environment
      {master, alone},
      // Kubernetes gives this to each pod beside a service of the name "master".
      {{{"MASTER_PORT", "tcp://10.0.0.1:29500"}}, alone},
  });
}

TEST_CASE("MASTER_ADDR and MASTER_PORT complete every launcher, flags go before") {
  for (const Variables& launcher : {torchrun, kubernetes, open_mpi, mpich, slurm}) {
    const Launch completed = launch_of(launcher + master);
    CHECK(completed.address == "head");
    CHECK(completed.port == 1234);
    const Launch flagged = launch_of(launcher + master, {.port = 1, .address = "other"});
    CHECK(flagged.address == "other");
    CHECK(flagged.port == 1);
  }
  check_lines({
      {master, "rank 1 of 4, local rank 0, by flags; rank 0 is at head:1234", second_of_four},
      {{},
       "rank 0 of 1, local rank 0, by no launcher; rank 0 is at other:29500",
       {.address = "other"}},
      {{},
       "rank 1 of 4, local rank 0, by flags; rank 0 is at other:1",
       {.rank = 1, .size = 4, .port = 1, .address = "other"}},
  });
}

TEST_CASE("rank 0 of a Slurm step is on the step's first host") {
  const Variables step = slurm + Variables{{"SLURM_STEP_NODELIST", "node2"}};
  CHECK(launch_of(step).address == "node2");
  CHECK(launch_of(step + Variables{{"SLURM_JOB_NODELIST", "["}}).address == "node2");
  CHECK(launch_of(step + master).address == "head");
  CHECK(launch_of(slurm + Variables{{"SLURM_JOB_NODELIST", "["}} + master).address == "head");
}

TEST_CASE("srun's own PMI is Slurm's word") {
  check_lines({
      {pmi_of_srun + slurm, "rank 1 of 4, local rank 1, by Slurm; rank 0 is at node1:29500"},
      // srun starts one torchrun or mpirun on each host.
      {pmi_of_srun + slurm + Variables{{"RANK", "9"}, {"WORLD_SIZE", "32"}, {"LOCAL_RANK", "1"}},
       "rank 9 of 32, local rank 1, by RANK and WORLD_SIZE"},
      // Inside a batch script the same numbers are by chance.
      {pmi_of_srun + slurm_job + slurm_numbers, "rank 1 of 4, local rank 0, by MPICH"},
      {Variables{{"PMI_RANK", "2"}, {"PMI_SIZE", "4"}} + slurm,
       "rank 2 of 4, local rank 0, by MPICH"},
      {Variables{{"PMI_RANK", "1"}, {"PMI_SIZE", "8"}} + slurm,
       "rank 1 of 8, local rank 0, by MPICH"},
  });
}

TEST_CASE("Slurm is not compared") {
  const Variables others{{"SLURM_PROCID", "zero"}, {"SLURM_NTASKS", "9"}, {"SLURM_STEP_ID", "0"}};
  for (const Variables& launcher : {torchrun, open_mpi, mpich})
    CHECK(launch_of(launcher + others).size == 4);
}

TEST_CASE("rank without size, or size without rank, is refused") {
  const std::string allowed = "; allowed: both or neither";
  check_refusals({
      {{}, "--world-size", "--rank = 1 but no --world-size" + allowed, {.rank = 1}},
      {{}, "--rank", "--world-size = 4 but no --rank" + allowed, {.size = 4}},
      {torchrun, "--rank", "--world-size = 4 but no --rank" + allowed, {.size = 4}},
      {{{"RANK", "1"}}, "WORLD_SIZE", "RANK = 1 but no WORLD_SIZE" + allowed},
      {{{"WORLD_SIZE", "4"}}, "RANK", "WORLD_SIZE = 4 but no RANK" + allowed},
      {{{"RANK", "1"}, {"JOB_COMPLETION_INDEX", "1"}},
       "WORLD_SIZE",
       "RANK = 1 but no WORLD_SIZE" + allowed},
      {{{"OMPI_COMM_WORLD_RANK", "1"}},
       "OMPI_COMM_WORLD_SIZE",
       "OMPI_COMM_WORLD_RANK = 1 but no OMPI_COMM_WORLD_SIZE" + allowed},
      {{{"PMI_SIZE", "4"}}, "PMI_RANK", "PMI_SIZE = 4 but no PMI_RANK" + allowed},
      {{{"SLURM_PROCID", "1"}}, "SLURM_NTASKS", "SLURM_PROCID = 1 but no SLURM_NTASKS" + allowed},
  });
}

TEST_CASE("numbers out of their range are refused") {
  const auto with = [](const char* name, const char* value) {
    return torchrun + Variables{{name, value}};
  };
  check_refusals({
      {with("RANK", "4"), "RANK", "RANK = 4; allowed: >= 0 and < WORLD_SIZE, 4"},
      {with("RANK", "-1"), "RANK", "RANK = -1; allowed: >= 0 and < WORLD_SIZE, 4"},
      {with("WORLD_SIZE", "0"), "WORLD_SIZE", "WORLD_SIZE = 0; allowed: >= 1"},
      {with("WORLD_SIZE", "-4"), "WORLD_SIZE", "WORLD_SIZE = -4; allowed: >= 1"},
      {with("LOCAL_RANK", "4"), "LOCAL_RANK", "LOCAL_RANK = 4; allowed: >= 0 and < WORLD_SIZE, 4"},
      {with("LOCAL_RANK", "-1"), "LOCAL_RANK",
       "LOCAL_RANK = -1; allowed: >= 0 and < WORLD_SIZE, 4"},
      {kubernetes + Variables{{"LOCAL_WORLD_SIZE", "0"}}, "LOCAL_WORLD_SIZE",
       "LOCAL_WORLD_SIZE = 0; allowed: >= 1"},
      {{{"RANK", "-1"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}},
       "RANK",
       "RANK = -1; allowed: >= 0 and < WORLD_SIZE, 4"},
      {kubernetes + Variables{{"JOB_COMPLETION_INDEX", "4"}}, "JOB_COMPLETION_INDEX",
       "JOB_COMPLETION_INDEX = 4; allowed: >= 0 and < WORLD_SIZE, 4"},
      {open_mpi + Variables{{"OMPI_COMM_WORLD_RANK", "4"}}, "OMPI_COMM_WORLD_RANK",
       "OMPI_COMM_WORLD_RANK = 4; allowed: >= 0 and < OMPI_COMM_WORLD_SIZE, 4"},
      {mpich + Variables{{"MPI_LOCALRANKID", "4"}}, "MPI_LOCALRANKID",
       "MPI_LOCALRANKID = 4; allowed: >= 0 and < PMI_SIZE, 4"},
      {slurm + Variables{{"SLURM_PROCID", "4"}}, "SLURM_PROCID",
       "SLURM_PROCID = 4; allowed: >= 0 and < SLURM_NTASKS, 4"},
      {slurm + Variables{{"SLURM_LOCALID", "4"}}, "SLURM_LOCALID",
       "SLURM_LOCALID = 4; allowed: >= 0 and < SLURM_NTASKS, 4"},
      {{}, "--rank", "--rank = 4; allowed: >= 0 and < --world-size, 4", {.rank = 4, .size = 4}},
      {{}, "--world-size", "--world-size = 0; allowed: >= 1", {.rank = 0, .size = 0}},
      {{},
       "--local-rank",
       "--local-rank = 4; allowed: >= 0 and < --world-size, 4",
       {.rank = 1, .size = 4, .local_rank = 4}},
      {{},
       "--local-rank",
       "--local-rank = 1; allowed: >= 0 and < --world-size, 1",
       {.local_rank = 1}},
      {open_mpi,
       "--local-rank",
       "--local-rank = -1; allowed: >= 0 and < OMPI_COMM_WORLD_SIZE, 4",
       {.local_rank = -1}},
      {with("MASTER_PORT", "0"), "MASTER_PORT", "MASTER_PORT = 0; allowed: 1 to 65535"},
      {with("MASTER_PORT", "65536"), "MASTER_PORT", "MASTER_PORT = 65536; allowed: 1 to 65535"},
      {{}, "--master-port", "--master-port = -1; allowed: 1 to 65535", {.port = -1}},
  });
}

TEST_CASE("text that is no whole number is refused, under each name") {
  const std::string allowed = "; allowed: a whole number that an int holds";
  for (const char* value : {"", " ", "x", "1x", "1 ", " 1", "+1", "1.0", "0x1", "-", "2147483648",
                            "-2147483649", "99999999999999999999", "\xff"})
    check_refusals({{{{"RANK", value}, {"WORLD_SIZE", "4"}},
                     "RANK",
                     "RANK = " + std::string(value) + allowed}});
  const std::pair<Variables, std::vector<std::string>> launchers[] = {
      {torchrun + master, {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"}},
      {kubernetes + Variables{{"LOCAL_WORLD_SIZE", "1"}},
       {"JOB_COMPLETION_INDEX", "WORLD_SIZE", "LOCAL_WORLD_SIZE"}},
      {open_mpi, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"}},
      {mpich, {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"}},
      {slurm, {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"}}};
  for (const auto& [variables, names] : launchers)
    for (const std::string& name : names)
      check_refusals({{variables + Variables{{name, "1st"}}, name, name + " = 1st" + allowed}});
}

TEST_CASE("an address that names nothing is refused") {
  check_refusals({
      {torchrun + Variables{{"MASTER_ADDR", ""}}, "MASTER_ADDR", "MASTER_ADDR = ; allowed: a host"},
      {{}, "--master-addr", "--master-addr = ; allowed: a host", {.address = ""}},
      {slurm + Variables{{"SLURM_JOB_NODELIST", "n[1"}}, "SLURM_JOB_NODELIST",
       "SLURM_JOB_NODELIST = n[1; allowed: hosts as n[1-3,7], or the first one in MASTER_ADDR"},
      {slurm + Variables{{"SLURM_STEP_NODELIST", ""}}, "SLURM_STEP_NODELIST",
       "SLURM_STEP_NODELIST = ; allowed: hosts as n[1-3,7], or the first one in MASTER_ADDR"},
  });
}

TEST_CASE("launchers that disagree are refused") {
  const Variables other_rank{{"OMPI_COMM_WORLD_RANK", "2"}};
  check_refusals({
      {torchrun + open_mpi + other_rank, "OMPI_COMM_WORLD_RANK",
       "OMPI_COMM_WORLD_RANK = 2; allowed: 1, as RANK says"},
      {torchrun + open_mpi + Variables{{"OMPI_COMM_WORLD_SIZE", "2"}}, "OMPI_COMM_WORLD_SIZE",
       "OMPI_COMM_WORLD_SIZE = 2; allowed: 4, as WORLD_SIZE says"},
      {kubernetes + mpich + Variables{{"PMI_RANK", "0"}}, "PMI_RANK",
       "PMI_RANK = 0; allowed: 1, as JOB_COMPLETION_INDEX says"},
      {open_mpi + mpich + Variables{{"PMI_SIZE", "5"}}, "PMI_SIZE",
       "PMI_SIZE = 5; allowed: 4, as OMPI_COMM_WORLD_SIZE says"},
      {torchrun, "RANK", "RANK = 1; allowed: 0, as --rank says", {.rank = 0, .size = 4}},
      {mpich, "PMI_SIZE", "PMI_SIZE = 4; allowed: 8, as --world-size says", {.rank = 1, .size = 8}},
      // The third disagrees with the first, though the second agrees.
      {torchrun + open_mpi + mpich + Variables{{"PMI_RANK", "3"}}, "PMI_RANK",
       "PMI_RANK = 3; allowed: 1, as RANK says"},
  });
}

TEST_CASE("the first host of Slurm's list") {
  const std::pair<const char*, const char*> lists[] = {
      {"a", "a"},
      {"a,b", "a"},
      {"n[1-3,7]", "n1"},
      {"n[7]", "n7"},
      {"n[7,1-3],m", "n7"},
      {"gpu[001-004]x", "gpu001x"},
      {"gpu[09,10]", "gpu09"},
      {"rack[1-2]node[03-04],z", "rack1node03"},
      {"node-1.cluster.example,b", "node-1.cluster.example"},
      {"[1-2]", "1"},
      {"a,]", "a"},  // what follows is not read
  };
  for (const auto& [list, host] : lists) CHECK(comm::detail::first_host(list) == host);
}

TEST_CASE("what is no list of Slurm's has no first host") {
  for (const char* list : {"", ",a", "n[", "n[]", "n[1", "n[1-", "n[1,2", "n]", "n[-1]", "n[,1]",
                           "n[a-b]", "n[1a]", "n[1[2]]", "n[[1]]", "a b", "a\n", "a\xc3\xa9"}) {
    CAPTURE(list);
    CHECK(comm::detail::first_host(list).empty());
  }
  using namespace std::string_view_literals;
  CHECK(comm::detail::first_host("a\0b"sv).empty());
  CHECK(comm::detail::first_host("n[1\0]"sv).empty());
}

TEST_CASE("random lists: no read out of bounds, no hang, and only visible hosts") {
  constexpr std::string_view likely = "n01[]-,";
  std::mt19937 random(20260801);
  int hosts = 0;
  for (int round = 0; round < 100'000; ++round) {
    // A heap block of exactly this size, so that the sanitizer sees one byte too many.
    std::vector<char> bytes(random() % 24);
    for (char& byte : bytes)
      byte = random() % 16 ? likely[random() % likely.size()] : char(random() % 256);
    const std::string_view list(bytes.data(), bytes.size());
    const std::string host = comm::detail::first_host(list);
    if (host.empty()) continue;
    ++hosts;
    CHECK(host.size() <= list.size());
    for (const char letter : host) CHECK((letter > ' ' && letter <= '~'));
    CHECK(host.find_first_of("[],") == host.npos);
    CHECK(host[0] == (list[0] == '[' ? list[1] : list[0]));
  }
  CHECK(hosts > 1'000);  // the bytes are near enough to lists
}
