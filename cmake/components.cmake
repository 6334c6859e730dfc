# SPDX-License-Identifier: MIT
# The components: targets beside polyq::polyq, each with dependencies of its own. They are defined
# even where these are absent, since an install serves other machines; linking them then fails.

# polyq::thrust: functors on Thrust's host systems, by a host compiler. Without the definition
# Thrust asks a host compiler for CUDA's headers; a .cu keeps Thrust's own choice.
include(cmake/find_thrust.cmake)
add_library(polyq_thrust INTERFACE)
add_library(polyq::thrust ALIAS polyq_thrust)
set_target_properties(polyq_thrust PROPERTIES EXPORT_NAME thrust)
target_sources(polyq_thrust INTERFACE FILE_SET HEADERS BASE_DIRS include
               FILES include/polyq/backend/thrust.hpp)
target_compile_definitions(polyq_thrust INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP>)
target_link_libraries(polyq_thrust INTERFACE polyq polyq::thrust_headers)
