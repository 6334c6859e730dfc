#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles each must_fail/*.cpp and checks that its only error is the one named in its first line.

Usage: must_fail.py COMPILER [FLAG...]. Prints each program with its message.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"


def errors_of(compiler, flags, source):
    command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{INCLUDE}", *flags, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, re.findall(r" error: (.*)", done.stderr)


def main():
    compiler, flags = sys.argv[1], sys.argv[2:]
    failed = 0
    sources = sorted((HERE / "must_fail").glob("*.cpp"))
    for source in sources:
        expected = re.match(r"// error: (.*)", source.read_text()).group(1)
        code, errors = errors_of(compiler, flags, source)
        good = code != 0 and len(errors) == 1 and re.search(expected, errors[0])
        failed += not good
        first = errors[0] if errors else "it compiles"
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        print(f"{'ok    ' if good else 'FAILED'} {source.stem}: {first}{more}")
    print(f"{len(sources) - failed} of {len(sources)} refused with their sentence by {compiler}")
    return 1 if failed or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
