#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The include law: who may include what in include/polyq, and what else every header promises.

Run without arguments it prints each breach and exits 1 if there is one. `--picture` writes the
structure that it read into docs/explanation/structure.md; a stale picture is a breach too.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ROOT / "include" / "polyq"
PICTURE = ROOT / "docs" / "explanation" / "structure.md"

FLOORS = {
    "core": 0,
    "math": 1,
    "io": 1,
    "backend": 2,
    "nn": 3,
    "optim": 3,
    "replay": 3,
    "comm": 3,
    "env": 3,
    "dqn": 4,
    "train": 5,
}
NAMES = {
    5: "when to act, update, evaluate, stop",
    4: "the algorithm",
    3: "the policies",
    2: "running functors, memory, products",
    1: "formulas, file formats",
    0: "what every floor needs",
}
# The only way in for other people's headers: pattern of the include, pattern of the header.
DOORS = [
    (r"(unsupported/)?Eigen/", r"backend/eigen_.*\.hpp"),
    (r"thrust/", r"backend/thrust.*"),
    (r"(cuda|cub|cublas|driver_types|nvtx)", r"backend/cuda_.*|backend/.*\.cuh"),
    (r"mpi\.h", r"comm/mpi.*\.hpp"),
    (r"nccl\.h", r"comm/nccl\.hpp"),
    (r"[a-z0-9]+intrin\.h", r"backend/flush_denormals\.hpp"),
]
# Concrete headers of a lower room that a room may include; elsewhere only concept.hpp.
ADMITTED = {
    "dqn": {"backend/dense.hpp"},
    "train": {"env/vectorized.hpp"},
    "nn": {"backend/dense.hpp"},
    "optim": set(),
    "replay": set(),
    "comm": set(),
    "env": set(),
}
EXCEPTIONS = {("comm/nccl.hpp", "backend/cuda_runtime.hpp")}
MOST_LINES = 300


def room_of(header):
    return header.split("/")[0]


def may_include(header, target):
    """Why `header` may not include `target`, or None."""
    if (header, target) in EXCEPTIONS:
        return None
    room, other = room_of(header), room_of(target)
    if other not in FLOORS:
        return f"{other}/ is no room of the house"
    if room == other:
        return None
    if FLOORS[other] > FLOORS[room]:
        return "an arrow up"
    if FLOORS[other] == FLOORS[room]:
        return "siblings never include each other"
    if room == "train" and other == "dqn":
        return None
    if FLOORS[other] >= 2 and not target.endswith("/concept.hpp"):
        if target not in ADMITTED.get(room, set()):
            return "only concept.hpp of that room, never a concrete policy"
    return None


def foreign(header, include):
    """Why `header` may not include <include>, or None."""
    if include == "iostream":
        return "<iostream> costs every program its static constructors"
    for pattern, door in DOORS:
        if re.match(pattern, include):
            if not re.fullmatch(door, header):
                return f"its only door is {door}"
            return None
    if "/" in include or include.endswith((".h", ".hpp", ".cuh")):
        return "a third-party header without a door"
    return None


def breaches_of(path):
    header = path.relative_to(HEADERS).as_posix()
    text = path.read_text()
    lines = text.splitlines()
    if lines[0] != "// SPDX-License-Identifier: MIT" or not lines[1].startswith("// "):
        yield "its first two lines are not the licence and its job"
    if len(lines) > MOST_LINES and "lines because" not in text[:600]:
        yield f"{len(lines)} lines and no word in its head why"
    if "#pragma once" not in text:
        yield "no #pragma once"
    for include in re.findall(r'^#include "([^"]+)"', text, re.M):
        if not include.startswith("polyq/"):
            yield f'"{include}" is not written from polyq/'
            continue
        target = include.removeprefix("polyq/")
        if not (HEADERS / target).exists():
            yield f"{include} does not exist"
        elif "/" in header:
            reason = may_include(header, target)
            if reason:
                yield f"includes {target}: {reason}"
    for include in re.findall(r"^#include <([^>]+)>", text, re.M):
        reason = foreign(header, include)
        if reason:
            yield f"includes <{include}>: {reason}"
    if header != "core/config.hpp" and re.search(r"^\s*#\s*define", text, re.M):
        yield "macros stand in core/config.hpp alone"
    if room_of(header) not in ("core", "backend") and "__CUDACC__" in text:
        yield "__CUDACC__ stands in core/config.hpp and backend/ alone"
    for message in re.findall(r"static_assert\((?:[^;]|\n)*?;", text):
        if not message.isascii():
            yield "a static_assert's sentence is not ASCII"
    if "/" in header:
        test = ROOT / "tests" / re.sub(r"\.(hpp|cuh)$", "_test", header)
        if not list(test.parent.glob(test.name + ".*")):
            yield f"no tests/{test.relative_to(ROOT / 'tests')}.*"


def arrows():
    """How often a room includes another, and its headers."""
    counted, rooms = collections.Counter(), collections.defaultdict(list)
    for path in sorted(HEADERS.glob("*/*")):
        header = path.relative_to(HEADERS).as_posix()
        rooms[room_of(header)].append(path.stem)
        for include in re.findall(r'^#include "polyq/([^"]+)"', path.read_text(), re.M):
            if room_of(include) != room_of(header):
                counted[room_of(header), room_of(include)] += 1
    return counted, rooms


def picture():
    counted, rooms = arrows()
    lines = [
        "# The structure as the headers have it",
        "",
        "Written by `tests/architecture/include_law.py --picture` from the `#include` lines; the",
        "test of the include law fails when it is stale. Arrows point from the including room down",
        "to the included one, with the number of includes.",
        "",
        "```mermaid",
        "flowchart TB",
    ]
    for floor in sorted(NAMES, reverse=True):
        inside = [room for room in rooms if FLOORS[room] == floor]
        lines.append(f'  subgraph F{floor}["{floor}: {NAMES[floor]}"]')
        for room in inside:
            lines.append(f'    {room}["{room}/<br/>{", ".join(sorted(rooms[room]))}"]')
        lines.append("  end")
    for (room, other), count in sorted(counted.items(), key=lambda a: (-FLOORS[a[0][0]], a[0])):
        lines.append(f"  {room} -->|{count}| {other}")
    lines += ["```", "", "| from | to | includes | floors |", "|---|---|---|---|"]
    for (room, other), count in sorted(counted.items(), key=lambda a: (-FLOORS[a[0][0]], a[0])):
        lines.append(f"| {room}/ | {other}/ | {count} | {FLOORS[room]} to {FLOORS[other]} |")
    return "\n".join(lines) + "\n"


def main():
    if sys.argv[1:] == ["--picture"]:
        PICTURE.write_text(picture())
        print(f"wrote {PICTURE.relative_to(ROOT)}")
        return 0
    found, headers = [], sorted(HEADERS.rglob("*.[hc][pu][ph]"))
    for path in headers:
        for breach in breaches_of(path):
            found.append(f"{path.relative_to(ROOT)}: {breach}")
    if not PICTURE.exists() or PICTURE.read_text() != picture():
        found.append("docs/explanation/structure.md is stale; run this with --picture")
    print("\n".join(found) or f"{len(headers)} headers keep the law")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
