# SPDX-License-Identifier: MIT
# Installs headers and the CMake package into share/, which is right for every architecture.
include(CMakePackageConfigHelpers)
set(package_dir share/cmake/polyq)

install(TARGETS polyq EXPORT polyq-targets FILE_SET HEADERS DESTINATION include)
install(EXPORT polyq-targets NAMESPACE polyq:: DESTINATION ${package_dir})
foreach(component thrust mpi cuda nccl)
  install(TARGETS polyq_${component} EXPORT polyq-${component}-targets
          FILE_SET HEADERS DESTINATION include)
  install(EXPORT polyq-${component}-targets NAMESPACE polyq:: DESTINATION ${package_dir})
endforeach()
configure_package_config_file(cmake/polyq-config.cmake.in polyq-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(polyq-config-version.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/polyq-config.cmake
              ${PROJECT_BINARY_DIR}/polyq-config-version.cmake
              cmake/find_eigen.cmake
              cmake/find_thrust.cmake
              cmake/find_mpi.cmake
              cmake/find_nccl.cmake
              cmake/cuda_standard.cmake
        DESTINATION ${package_dir})
install(FILES LICENSE DESTINATION share/doc/polyq)
