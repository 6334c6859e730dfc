# SPDX-License-Identifier: MIT
# The tests whose ranks are processes. Not under
# sanitizers: Open MPI itself leaks and reads uninitialised bytes.
set(mpi_environment OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
set(mpi_command ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none ${MPIEXEC_NUMPROC_FLAG})

foreach(header mpi mpi_peers mpi_session)
  add_executable(test_comm_${header} comm/${header}_test.cpp)
  target_link_libraries(test_comm_${header} PRIVATE polyq_test_main polyq::mpi)
  foreach(ranks 1 2 3 4)
    add_test(NAME comm_${header}_${ranks}
             COMMAND ${mpi_command} ${ranks} $<TARGET_FILE:test_comm_${header}>)
    set_tests_properties(comm_${header}_${ranks} PROPERTIES ENVIRONMENT "${mpi_environment}"
                         PROCESSORS 2 RESOURCE_LOCK mpi TIMEOUT 300)
  endforeach()
endforeach()
