# SPDX-License-Identifier: MIT
# The tests whose ranks are processes, and what becomes of a job when one of them fails. Not under
# sanitizers: Open MPI itself leaks and reads uninitialised bytes.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

foreach(header mpi mpi_peers mpi_session)
  add_executable(test_comm_${header} comm/${header}_test.cpp)
  target_link_libraries(test_comm_${header} PRIVATE polyq_test_main polyq::mpi)
  foreach(ranks 1 2 3 4)
    add_mpi_test(comm_${header}_${ranks} ${ranks} $<TARGET_FILE:test_comm_${header}>)
  endforeach()
endforeach()

add_executable(comm_mpi_faults comm/mpi_faults.cpp)
target_link_libraries(comm_mpi_faults PRIVATE polyq_developer polyq::mpi)
target_include_directories(comm_mpi_faults PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
foreach(hosts one two)
  add_test(NAME comm_mpi_faults_${hosts}_host
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/comm/mpi_faults.py ${hosts}
                   ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:comm_mpi_faults> $<TARGET_FILE:test_comm_mpi>)
  runs_mpi(comm_mpi_faults_${hosts}_host)
  set_tests_properties(comm_mpi_faults_${hosts}_host PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
