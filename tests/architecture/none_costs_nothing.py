#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""comm::None costs nothing: an update of Dqn takes as many instructions as its calls alone.

Usage: none_costs_nothing.py COMPILER [FLAG...]. Compiles update_alone.cpp at -O2 for x86-64-v3 and
counts by valgrind's callgrind what 100 updates take: a run of 120 less a run of 20, so that the
set-up cancels out. Exits with 77, ctest's "skipped", where that cannot be counted.
"""
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
FLAGS = ["-std=c++20", "-O2", "-DNDEBUG", "-march=x86-64-v3", f"-I{INCLUDE}", f"-I{HERE.parent}"]
SHORT, LONG = "020", "120"  # as long as each other, since reading them is counted too
SKIPPED = 77


def why_not():
    """Why nothing can be counted here, or None."""
    if shutil.which("valgrind") is None:
        return "valgrind is absent (Debian's package valgrind)"
    if platform.machine() != "x86_64" or "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        return "this processor has no AVX2, for which the update is compiled"
    return None


def instructions_and_hash(program, agent, updates, folder):
    counts = folder / f"{agent}-{updates}"
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}",
                           program, agent, updates],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"FAILED: {agent} {updates} ended with {done.returncode}:\n{done.stderr}")
    total = re.search(r"^(?:totals|summary): (\d+)", counts.read_text(), re.M)
    return int(total.group(1)), done.stdout.strip()


def main():
    reason = why_not()
    if reason:
        print(f"SKIPPED: instructions are not counted: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = folder / "update_alone"
        subprocess.run([*sys.argv[1:], *FLAGS, HERE / "update_alone.cpp", "-o", program], check=True)
        taken, hashes = {}, set()
        for agent in ("dqn", "alone"):
            short, _ = instructions_and_hash(program, agent, SHORT, folder)
            long, parameters = instructions_and_hash(program, agent, LONG, folder)
            taken[agent] = (long - short) / (int(LONG) - int(SHORT))
            hashes.add(parameters)
    print(f"instructions an update: {taken['dqn']:.2f} by Dqn with comm::None, "
          f"{taken['alone']:.2f} by its calls alone")
    if len(hashes) != 1:
        print(f"FAILED: they end at different parameters: {hashes}")
        return 1
    if taken["dqn"] != taken["alone"]:
        print("FAILED: the counts differ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
