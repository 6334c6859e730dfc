# SPDX-License-Identifier: MIT
# Finds Eigen 3.4 to 5.x. Without a version in the call, since 3.4's own version file refuses 5 and
# 5's refuses 3.4; the range is checked afterwards. Used by the build and by the installed package.
find_package(Eigen3 CONFIG REQUIRED)
if(Eigen3_VERSION VERSION_LESS 3.4 OR Eigen3_VERSION VERSION_GREATER_EQUAL 6)
  message(FATAL_ERROR "polyq needs Eigen 3.4 to 5.x; found ${Eigen3_VERSION} in ${Eigen3_DIR}")
endif()
