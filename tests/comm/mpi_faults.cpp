// SPDX-License-Identifier: MIT
// mpi_faults FAULT DEADLINE FOLDER: ranks that sum gradients until the last of them does what FAULT
// says. Each rank writes JSON lines about itself into FOLDER; mpi_faults.py reads them.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <polyq/backend/reference.hpp>
#include <polyq/comm/mpi.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "comm/faulty_ranks.hpp"

namespace {

using polyq::CommError;
using polyq::backend::Reference;
using polyq::comm::Deadline;
using polyq::comm::Mpi;
using Clock = std::chrono::steady_clock;

constexpr int faulty_update = 105;

/// Where a rank notes what becomes of it; a file, since mpirun's pipes end with a link.
class Notes {
 public:
  explicit Notes(std::string folder) : folder_(std::move(folder)) {}
  void begin(int rank) {
    path_ = folder_ + "/rank" + std::to_string(rank);
    write("began");
  }
  void write(const std::string& event, const std::string& message = "", double seconds = 0) const {
    const Deadline now = std::chrono::system_clock::now().time_since_epoch();
    std::FILE* file = std::fopen(path_.c_str(), "a");
    if (file == nullptr) std::abort();
    std::fprintf(file,
                 "{\"event\": \"%s\", \"at\": %.6f, \"seconds\": %.6f, \"message\": \"%s\"}\n",
                 event.c_str(), now.count(), seconds, message.c_str());
    std::fclose(file);
  }

 private:
  std::string folder_, path_;
};

test::Fault<Mpi> fault_named(const std::string& name, Deadline deadline) {
  const auto nothing = [](const Mpi&) {};
  const std::map<std::string, test::Fault<Mpi>> faults{
      {"none", nothing},
      {"link", nothing},
      {"run", nothing},
      {"leave", nothing},
      {"work", nothing},
      {"stop", [](const Mpi&) { raise(SIGSTOP); }},
      {"uncaught", [](const Mpi&) { raise(SIGSTOP); }},
      {"kill", [](const Mpi&) { raise(SIGKILL); }},
      {"operation", [](const Mpi& ranks) { ranks.barrier(); }},
      {"size",
       [](const Mpi& ranks) {
         Reference::Machine machine{{}};
         std::vector<float> span(99);
         ranks.all_reduce_sum(machine, span.data(), span.size());
       }},
      {"throw", test::error("no luck")},
      {"abort", test::giving_up("no power")},
      {"exit", [](const Mpi&) { std::exit(0); }},
      {"late", test::late(deadline + Deadline(.2))},
  };
  return faults.at(name);
}

double since(Clock::time_point begin) { return Deadline(Clock::now() - begin).count(); }

/// Sums until something happens, if it does.
void work(const std::string& fault, Deadline deadline, Notes& notes, Clock::time_point& began) {
  const Mpi ranks = Mpi::world(deadline);
  const bool chosen = ranks.rank() == ranks.size() - 1;
  notes.begin(ranks.rank());
  ranks.introduce(fault == "run" && chosen ? 8 : 7);
  const test::Faulty<Mpi> faulty(ranks, ranks.size() - 1, faulty_update,
                                 fault_named(fault, deadline));
  Reference::Machine machine{{}};
  std::vector<float> gradient(4'610, 1e-3f);
  for (int update = 1; update <= 200 || fault == "link"; ++update) {
    if (chosen && update == (fault == "run" ? 1 : faulty_update)) notes.write("fault");
    if (chosen && update == faulty_update && fault == "leave") return;
    began = Clock::now();
    if (update % 10 == 0)
      faulty.barrier();
    else
      faulty.all_reduce_sum(machine, gradient.data(), gradient.size());
    if (fault == "link") std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (fault == "work" && chosen) std::this_thread::sleep_for(1.5 * deadline);
}

}  // namespace

int main(int, char** arguments) {
  const std::string fault = arguments[1];
  Notes notes(arguments[3]);
  Clock::time_point began = Clock::now();
  try {
    work(fault, Deadline(std::atof(arguments[2])), notes, began);
    notes.write("done");
  } catch (const CommError& error) {
    notes.write("told", error.what(), since(began));
    if (fault == "uncaught") throw;
    return 0;  // the job's exit code does not depend on this
  } catch (const std::runtime_error& error) {
    notes.write("threw", error.what(), since(began));
    return 1;
  }
}
