// SPDX-License-Identifier: MIT
// A place as a default argument is that of the call, also through templates.
#include <doctest/doctest.h>

#include <polyq/core/source_place.hpp>
#include <string>

using polyq::core::SourcePlace;

namespace {

SourcePlace place_of_call(SourcePlace at = SourcePlace::current()) { return at; }

template <class T>
struct Template {
  SourcePlace operator()(T, SourcePlace at = SourcePlace::current()) const { return at; }
};

}  // namespace

TEST_CASE("the place of a call") {
  const SourcePlace here = place_of_call();
  CHECK(here.line == __LINE__ - 1);
  CHECK(std::string(here.file).find("source_place_test.cpp") != std::string::npos);
  CHECK(here.text() == std::string(here.file) + ":" + std::to_string(here.line));
  CHECK(Template<int>{}(1).line == __LINE__);
  CHECK(SourcePlace::current().line == __LINE__);
}
