#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes table.md, curves-<env>.svg and scores.svg beside the runs.csv and curves.csv of a folder.

Usage: bench/learn/report.py DIR [A,B]; with A,B the paired difference of two algorithms' scores.
bench/learn/run does the same behind its runs.
"""
import pathlib
import sys

import pictures
import results
import table


def write(folder, compare=None):
    """Prints the table, too. Whether every run trained to its end."""
    agents = results.read(folder)
    text = table.text(agents, compare)
    (folder / "table.md").write_text(text)
    for env, found in results.by_env(agents).items():
        (folder / f"curves-{env}.svg").write_text(pictures.curves(env, found))
    (folder / "scores.svg").write_text(pictures.scores(agents))
    print(text, end="")
    return not any(agent.failed for agent in agents)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] and sys.argv[2].count(",") != 1:
        sys.exit(__doc__)
    write(pathlib.Path(sys.argv[1]), sys.argv[2].split(",") if sys.argv[2:] else None)
