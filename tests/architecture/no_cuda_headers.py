#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A host user of Thrust needs no CUDA headers: compiles an agent on ThrustHost where there are none.

Usage: no_cuda_headers.py COMPILER THRUST_ROOT [FLAG...]. The compiler searches explicit roots alone
(-nostdinc); one that holds CUDA's headers is replaced by a folder of links to everything else.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
CUDA = re.compile(r"cuda.*|cu\w+\.h|crt|driver_.*|vector_.*|host_.*|nv")
SOURCE = """#include <polyq/backend/thrust.hpp>
#include <polyq/dqn/dqn.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/adam.hpp>
#include <polyq/replay/uniform.hpp>
int main() {
  polyq::Dqn agent(polyq::backend::ThrustHost{}, polyq::nn::Mlp<4, 8, 2>{},
                   polyq::replay::Uniform<8>{}, polyq::optim::Adam{});
  agent.update();
}
"""
HOST = "-DTHRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP"


def roots_of(compiler):
    done = subprocess.run([compiler, "-std=c++20", "-E", "-v", "-x", "c++", os.devnull],
                          capture_output=True, text=True, check=True)
    listed = re.search(r"#include <...> search starts here:\n(.*?)End of search", done.stderr,
                       re.S).group(1)
    return [pathlib.Path(line.strip()) for line in listed.splitlines()]


def without_cuda(root, folder):
    """The root, or links to all in it but CUDA's headers."""
    if not (root / "cuda_runtime_api.h").exists():
        return root
    shadow = folder / str(root).strip("/").replace("/", "_")
    shadow.mkdir()
    for entry in root.iterdir():
        if not CUDA.fullmatch(entry.name):
            (shadow / entry.name).symlink_to(entry)
    return shadow


def compiled(command, source):
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main():
    compiler, thrust, flags = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryDirectory() as name:
        roots = [without_cuda(root, pathlib.Path(name)) for root in roots_of(compiler)]
        extra = [] if thrust in roots_of(compiler) else [thrust]
        search = [f"-isystem{root}" for root in [*extra, *roots]]
        command = [compiler, "-std=c++20", "-nostdinc", "-nostdinc++", *search, f"-I{INCLUDE}",
                   *flags, "-x", "c++", "-"]
        code, _, message = compiled([*command, "-fsyntax-only", HOST], SOURCE)
        if code != 0:
            print(f"FAILED without CUDA's headers:\n{message}")
            return 1
        _, listed, _ = compiled([*command, "-M", HOST], SOURCE)
        met = re.findall(r"\S*/cuda_runtime\S*", listed)
        control, _, _ = compiled([*command, "-fsyntax-only"], SOURCE)
        probe, _, _ = compiled([*command, "-fsyntax-only"], "#include <cuda_runtime_api.h>\n")
    if met or control == 0 or probe == 0:
        print(f"FAILED: CUDA's headers were met: {met}; without the definition it "
              f"{'compiles' if control == 0 else 'does not compile'}; they are "
              f"{'there' if probe == 0 else 'not there'}")
        return 1
    print(f"ThrustHost compiles without CUDA's headers by {compiler}; without polyq::thrust's "
          "definition it does not")
    return 0


if __name__ == "__main__":
    sys.exit(main())
