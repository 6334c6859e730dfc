#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A model, not a measurement: what more ranks than were measured would do.

Usage: bench/run scaling | bench/comm/model.py, or model.py FILE...; other benches' lines are passed
over. It fits to the sums over two ranks
    T = latency + bytes / bandwidth
by least squares of relative errors, and to the updates of one rank with the two smallest batches
    fixed + batch * sample,
since larger ones leave the cache, which a rank's part of them does not; residuals are over all.
For R ranks it assumes a core each and links that do not share a bandwidth, hence
    T(R) = log2(R) * latency + 2 (R - 1) / R * bytes / bandwidth
and prints from which global batch on R ranks would be faster than one, and half as fast as R times
one.
"""
import fileinput
import json
import math
import re

RANKS = (2, 8, 16, 64)


CASE = re.compile(r"(\w+), (\d+) ranks, (\S+), global batch (\d+)")


def cases(lines):
    """(transport, ranks, shape, batch, the line's numbers) of each line of the scaling bench."""
    for line in lines:
        if line["bench"] == "scaling":
            transport, ranks, shape, batch = CASE.fullmatch(line["case"]).groups()
            yield transport, int(ranks), shape, int(batch), line


def fit(points):
    """(a, b) of y = a + b x that make the squares of relative errors least; neither below zero."""
    weights = [1 / y**2 for _, y in points]
    total = sum(weights)
    x_mean = sum(w * x for w, (x, _) in zip(weights, points)) / total
    y_mean = sum(w * y for w, (_, y) in zip(weights, points)) / total
    spread = sum(w * (x - x_mean)**2 for w, (x, _) in zip(weights, points))
    slope = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in zip(weights, points)) / spread
    if y_mean < slope * x_mean:  # through the origin
        return 0., sum(x / y for x, y in points) / sum((x / y)**2 for x, y in points)
    return y_mean - slope * x_mean, slope


def residuals(points, line):
    """Relative errors of the line, the mean of their squares' root and the largest."""
    errors = [(line[0] + line[1] * x) / y - 1 for x, y in points]
    root_mean_square = math.sqrt(sum(e**2 for e in errors) / len(errors))
    return f"residuals {root_mean_square:.0%} (largest {max(errors, key=abs):+.0%})"


def parameters_of(shape):
    sizes = [int(size) for size in shape.split("-")]
    return sum((i + 1) * o for i, o in zip(sizes, sizes[1:]))


def sums(lines):
    """For each transport its points (bytes, microseconds) with two ranks."""
    found = {}
    for transport, ranks, shape, _, line in cases(lines):
        if ranks == 2:
            found.setdefault(transport, []).append((4 * parameters_of(shape), line["sum_us"]))
    return found


def updates(lines):
    """For each shape its points (batch, microseconds) on one rank: the median over the runs."""
    found = {}
    for _, _, shape, batch, line in cases(lines):
        found.setdefault(shape, {}).setdefault(batch, []).append(line["one_rank_us"])
    return {shape: [(batch, sorted(times)[len(times) // 2]) for batch, times in batches.items()]
            for shape, batches in found.items()}


def sum_us(line, ranks, size):
    return math.log2(ranks) * line[0] + 2 * (ranks - 1) / ranks * size * line[1]


def pays_from(update, communication, ranks):
    """The batch from which `ranks` ranks, of a sample each at least, are faster than one."""
    return max(ranks, communication / (update[1] * (1 - 1 / ranks)))


def half_from(update, communication, ranks):
    """The batch from which they are half as fast as `ranks` times one:
    fixed + batch * sample = ranks / 2 * (fixed + batch / ranks * sample + communication)."""
    return max(ranks, (ranks * communication + (ranks - 2) * update[0]) / update[1])


def shown(batch):
    return f"{math.ceil(batch):,}".replace(",", " ")


def main():
    lines = [json.loads(line) for line in fileinput.input() if line.startswith("{")]
    transports = {name: (points, fit(points)) for name, points in sums(lines).items()}
    shapes = {name: (points, fit(sorted(points)[:2])) for name, points in updates(lines).items()}
    if not transports or not shapes:
        raise SystemExit("model.py: it needs the lines of bench/run scaling")
    print("A model, not a measurement.\n")
    for name, (points, line) in transports.items():
        print(f"{name}: T = {line[0]:.1f} us + bytes / {1e-3 / line[1]:.1f} GB/s, "
              f"{residuals(points, line)}")
    for name, (points, line) in shapes.items():
        print(f"{name}: update = {line[0]:.1f} us + batch * {line[1]:.3f} us, "
              f"{residuals(points, line)}")
    for name, (_, line) in transports.items():
        print(f"\n{name}: global batch from which R ranks are faster than one | half as fast as "
              "R times one")
        print("shape".ljust(14) + "".join(f"{ranks} ranks".rjust(19) for ranks in RANKS))
        for shape, (_, update) in shapes.items():
            cells = []
            for ranks in RANKS:
                communication = sum_us(line, ranks, 4 * parameters_of(shape))
                cells.append(f"{shown(pays_from(update, communication, ranks))} | "
                             f"{shown(half_from(update, communication, ranks))}")
            print(shape.ljust(14) + "".join(cell.rjust(19) for cell in cells))


if __name__ == "__main__":
    main()
