// SPDX-License-Identifier: MIT
// Nccl: NCCL and CUDA themselves behind NcclOf. Without a GPU, what they answer; with one, a rank.
#include <doctest/doctest.h>
#include <nccl.h>

#include <polyq/comm/nccl.hpp>
#include <polyq/cuda.cuh>
#include <string>
#include <vector>

#include "comm/contract.hpp"

namespace backend = polyq::backend;
namespace comm = polyq::comm;
namespace nn = polyq::nn;
namespace optim = polyq::optim;
namespace rule = polyq::rule;
using backend::ThrustCuda;

static_assert(comm::Communicator<comm::Nccl>);
static_assert(comm::CommunicatorOn<comm::Nccl, ThrustCuda::Machine>);

/// Leaves it to NCCL to find that there is no GPU.
struct Unopened : comm::NcclApi {
  static void open_device(int) {}
};

namespace {

bool has_gpu() {
  int count = 0;
  const bool answered = cudaGetDeviceCount(&count) == cudaSuccess;
  cudaGetLastError();
  return answered && count > 0;
}

}  // namespace

TEST_CASE("the library is of a version that the header serves") {
  int version = 0;
  REQUIRE(ncclGetVersion(&version) == ncclSuccess);
  CHECK(version >= NCCL_VERSION(2, 18, 0));
}

TEST_CASE("codes are told by name and in NCCL's words, and whose fault they are") {
  using Api = comm::NcclApi;
  CHECK(Api::text_of(ncclRemoteError) ==
        std::string("ncclRemoteError, ") + ncclGetErrorString(ncclRemoteError));
  CHECK(Api::text_of(ncclInProgress).find("ncclInProgress, ") == 0);
  CHECK(Api::text_of(ncclResult_t(77)).find("ncclResult_t 77, ") == 0);
  CHECK(Api::is_own_fault(ncclInvalidUsage));
  CHECK(!Api::is_own_fault(ncclRemoteError));
  CHECK(!Api::is_own_fault(ncclSystemError));
}

TEST_CASE("without a GPU a communicator is refused in words") {
  if (has_gpu()) return;
  CHECK_THROWS_AS(comm::Nccl::from({}), polyq::DeviceError);
  try {
    comm::NcclOf<Unopened>::from({}, comm::Deadline(20));
    FAIL_CHECK("nothing was thrown");
  } catch (const polyq::CommError& error) {
    const std::string message = error.what();
    CAPTURE(message);
    CHECK(message.find("polyq: rank 0: making the communicator of size 1: ncclUnhandledCudaError, "
                       "unhandled cuda error") == 0);
    CHECK(message.find("; NCCL's last error: ") != std::string::npos);
    CHECK(error.kind == polyq::CommError::Kind::gave_up);
  }
}

TEST_CASE("on a GPU one rank keeps the contract, its recording a graph") {
  if (!has_gpu()) {
    MESSAGE("skipped: no GPU");
    return;
  }
  const comm::Nccl ranks = comm::Nccl::from({});
  ThrustCuda::Machine machine{ThrustCuda{.device = ranks.local_rank()}};
  test::check_contract(ranks, machine);
}

TEST_CASE("on a GPU an agent of one rank learns what it learns alone") {
  if (!has_gpu()) {
    MESSAGE("skipped: no GPU");
    return;
  }
  const comm::Nccl ranks = comm::Nccl::from({});
  const auto trained = [](auto& agent) {
    polyq::train(agent, polyq::env::CartPole{}, {.env_steps = 2'000, .warm_up_env_steps = 500});
    return agent.parameters();
  };
  const ThrustCuda here{.device = ranks.local_rank()};
  const nn::Mlp<4, 64, 64, 2> network;
  const polyq::replay::Uniform<64> replay{.capacity = 2'000};
  const optim::Adam adam;
  polyq::Dqn alone(here, network, replay, adam, {.seed = 1});
  polyq::Dqn ranked(here, network, replay, adam, {.seed = 1}, rule::QLearning{}, ranks);
  CHECK(trained(ranked) == trained(alone));
}
