# SPDX-License-Identifier: MIT
# add_mpi_test(NAME RANKS COMMAND...): a test whose ranks are processes, whichever MPI starts them.

# Open MPI refuses root, and more ranks than cores; what another does not know it does not read.
set(mpi_environment OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    PRTE_MCA_hwloc_default_binding_policy=none)

# Marks a test that runs mpirun. No other compiler changes it; ranks wait for each other by spinning.
function(runs_mpi name)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${mpi_environment}" PROCESSORS 2
                       RESOURCE_LOCK mpi TIMEOUT 300 LABELS once)
endfunction()

function(add_mpi_test name ranks)
  add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${ARGN})
  runs_mpi(${name})
endfunction()
