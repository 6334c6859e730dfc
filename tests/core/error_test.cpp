// SPDX-License-Identifier: MIT
// Every kind of error is an Error; a refused setting names field, value and allowed range.
#include <doctest/doctest.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <polyq/core/error.hpp>
#include <stdexcept>
#include <string>

TEST_CASE("one handler catches every kind, and none is another") {
  static_assert(std::derived_from<polyq::Error, std::runtime_error>);
  static_assert(std::derived_from<polyq::SettingsError, polyq::Error>);
  static_assert(std::derived_from<polyq::DeviceError, polyq::Error>);
  static_assert(std::derived_from<polyq::EnvironmentError, polyq::Error>);
  static_assert(std::derived_from<polyq::DivergenceError, polyq::Error>);
  static_assert(!std::derived_from<polyq::DeviceError, polyq::SettingsError>);
  CHECK_THROWS_WITH_AS(throw polyq::DivergenceError("ran away"), "ran away", polyq::Error);
}

TEST_CASE("integers are shown whole") {
  CHECK(polyq::shown(0) == "0");
  CHECK(polyq::shown(-7) == "-7");
  CHECK(polyq::shown(std::uint8_t{200}) == "200");  // a number, not a character
  CHECK(polyq::shown(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("floating numbers are shown in up to nine digits, enough to read a float back") {
  CHECK(polyq::shown(.5f) == "0.5");
  CHECK(polyq::shown(1e10) == "1e+10");
  CHECK(polyq::shown(std::numeric_limits<float>::infinity()) == "inf");
  CHECK(polyq::shown(-std::numeric_limits<float>::infinity()) == "-inf");
  CHECK(polyq::shown(std::numeric_limits<float>::quiet_NaN()) == "nan");
  for (const float value : {.1f, 1e-3f, 2.5e-4f, 1003.22473f, -1.17549435e-38f, 3.40282347e+38f})
    CHECK(std::stof(polyq::shown(value)) == value);
}

TEST_CASE("require throws only where the condition fails, with field, value and range") {
  CHECK_NOTHROW(polyq::require(true, "Adam.epsilon", -1.f, "> 0"));
  CHECK_THROWS_WITH_AS(polyq::require(false, "Adam.epsilon", -1.f, "finite and > 0"),
                       "polyq: Adam.epsilon = -1; allowed: finite and > 0", polyq::SettingsError);
  CHECK_THROWS_WITH_AS(polyq::require(false, "Uniform.capacity", std::uint64_t{0}, ">= 64"),
                       "polyq: Uniform.capacity = 0; allowed: >= 64", polyq::SettingsError);
  try {
    polyq::require(false, "Sgd.rate", 0, "> 0");
    FAIL("no throw");
  } catch (const polyq::SettingsError& error) {
    CHECK(error.field == "Sgd.rate");  // for a program that maps settings to its own flags
  }
}
