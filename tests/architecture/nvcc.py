#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What nvcc says of the device code.

Usage: nvcc.py headers|kernels|must_fail NVCC [FLAG...]
headers: compiles every .cuh alone for every shipped architecture.
kernels: compiles gpu_agents.cu for each; a spill is an error, and so is local memory, but in the
kernels of LOCAL, whose sine and cosine keep a table there.
must_fail: compiles each must_fail/*.cu, whose first line holds its first error.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
SHIPPED = (80, 90, 100, 120)  # those of them that this nvcc knows are compiled for
LOCAL = ("StepLane",)  # of sine and cosine


def nvcc(arguments, source=None):
    command = [sys.argv[2], "-std=c++20", f"-I{INCLUDE}", *sys.argv[3:], *arguments]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False)


def architectures():
    done = subprocess.run([sys.argv[2], "--list-gpu-arch"], capture_output=True, text=True,
                          check=True)
    return [a for a in SHIPPED if f"compute_{a}" in done.stdout.split()]


def for_all():
    last = architectures()[-1]
    flags = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures()]
    return flags + [f"-gencode=arch=compute_{last},code=compute_{last}"]


def headers():
    failed = 0
    warnings = ["-Xcompiler=-Wall,-Wextra,-Werror", "--Werror=all-warnings"]
    found = sorted(INCLUDE.rglob("*.cuh"))
    for path in found:
        done = nvcc([*for_all(), *warnings, "-x", "cu", "-c", "-o", "/dev/null", "-"],
                    f'#include "{path.relative_to(INCLUDE)}"\n')
        failed += done.returncode != 0
        print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {path.relative_to(INCLUDE)}")
        if done.returncode != 0:
            print(done.stderr)
    print(f"{len(found) - failed} of {len(found)} compile alone for {architectures()}")
    return failed or not found


def kernels():
    done = nvcc([*for_all(), "-Xptxas=-v,--warn-on-spills,--warn-on-local-memory-usage", "-c",
                 "-o", "/dev/null", str(HERE / "gpu_agents.cu")])
    if done.returncode != 0:
        print(done.stderr)
        return True
    spills = re.findall(r"warning.*[Ss]pilled.* function '([^']+)'", done.stderr)
    local = re.findall(r"warning.*Local memory used for function '([^']+)'", done.stderr)
    unlisted = [name for name in local if not any(word in name for word in LOCAL)]
    compiled = re.findall(r"Compiling entry function '([^']+)' for '(sm_\d+)'", done.stderr)
    registers = [int(count) for count in re.findall(r"Used (\d+) registers", done.stderr)]
    for name in spills:
        print(f"FAILED spills: {name}")
    for name in unlisted:
        print(f"FAILED local memory: {name}")
    for architecture in architectures():
        names = {name for name, at in compiled if at == f"sm_{architecture}"}
        print(f"sm_{architecture}: {len(names)} kernels")
    print(f"most registers {max(registers, default=0)}, {len(spills)} spills, local memory in "
          f"{len(local)} kernels, {len(local) - len(unlisted)} of them for sine and cosine")
    return spills or unlisted or not compiled


def must_fail():
    failed = 0
    sources = sorted((HERE / "must_fail").glob("*.cu"))
    for source in sources:
        expected = re.match(r"// error: (.*)", source.read_text()).group(1)
        done = nvcc(["-Xcompiler=-fmax-errors=1", "-arch=sm_90", "-c", "-o", "/dev/null", str(source)])
        errors = re.findall(r"error:? (?:#error )?(.*)", done.stderr)
        good = done.returncode != 0 and errors and re.search(expected, errors[0])
        failed += not good
        print(f"{'ok    ' if good else 'FAILED'} {source.stem}: {(errors or ['it compiles'])[0]}")
    print(f"{len(sources) - failed} of {len(sources)} refused with their sentence by nvcc")
    return failed or not sources


if __name__ == "__main__":
    sys.exit(1 if {"headers": headers, "kernels": kernels, "must_fail": must_fail}[sys.argv[1]]() else 0)
