// SPDX-License-Identifier: MIT
// Handles are destroyed once, wherever they were moved; errors carry their place and their name.
#include <doctest/doctest.h>

#include <polyq/backend/cuda_runtime.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "fake_cuda.hpp"

namespace cuda = polyq::backend::cuda;
using test::fake_cuda;

static_assert(!std::is_copy_constructible_v<cuda::Stream> &&
              std::is_nothrow_move_constructible_v<cuda::Stream>);

TEST_CASE("what is made is destroyed, once") {
  const int before = fake_cuda().alive;
  {
    cuda::Stream stream = cuda::make_stream();
    cuda::Stream moved(std::move(stream));
    CHECK(!stream);
    CHECK(moved);
    cuda::Stream assigned;
    CHECK(!assigned);
    assigned = std::move(moved);
    CHECK(assigned);
    const cuda::Event event = cuda::make_event();
    const cuda::Pool pool = cuda::make_pool(0);
    const cuda::Pinned pinned = cuda::make_pinned(1'000);
    CHECK(fake_cuda().alive == before + 4);
  }
  CHECK(fake_cuda().alive == before);
}

TEST_CASE("a capture gives a graph, or nothing where what it captures throws") {
  const int before = fake_cuda().alive;
  {
    const cuda::Stream stream = cuda::make_stream();
    int calls = 0;
    const cuda::Graph graph = cuda::capture(stream.get(), [&] { ++calls; });
    CHECK(graph);
    CHECK(calls == 1);
    CHECK(fake_cuda().alive == before + 2);
    CHECK_THROWS_WITH(cuda::capture(stream.get(), [] { throw std::runtime_error("no"); }), "no");
    CHECK(fake_cuda().alive == before + 2);
  }
  CHECK(fake_cuda().alive == before);
}

TEST_CASE("an error names the call's place, its words and its name") {
  CHECK_NOTHROW(cuda::check(cudaSuccess));
  const int line = __LINE__ + 2;
  try {
    cuda::check(cudaErrorIllegalAddress);
    FAIL("nothing was thrown");
  } catch (const polyq::DeviceError& error) {
    CHECK(std::string(error.what())
              .find("polyq: CUDA: the fake's words for it "
                    "(cudaErrorIllegalAddress), at ") == 0);
    CHECK(std::string(error.what()).find("cuda_runtime_test.cu:" + std::to_string(line)) !=
          std::string::npos);
  }
}

TEST_CASE("versions as CUDA counts them") {
  CHECK(cuda::version_text(12040) == "12.4");
  CHECK(cuda::version_text(13000) == "13.0");
}
