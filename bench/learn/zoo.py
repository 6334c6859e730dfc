#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the scores of runs into the comments at the top of the zoo's files.

Usage: bench/learn/zoo.py DIR WHEN_AND_WHERE; DIR as bench/learn/run left it with --no-early-stop.
"""
import pathlib
import sys

import measures
import results
import table

ZOO = pathlib.Path(__file__).resolve().parents[2] / "examples" / "zoo"


def comment(agent, when_and_where):
    """What was reached, by which seeds, and how to repeat it."""
    scores, seeds = sorted(agent.scores), [run.seed for run in agent.runs]
    return (f"# Mean return {table.shown([scores], measures.mean, '.1f')}, from {scores[0]:.1f} to "
            f"{scores[-1]:.1f}, over seeds {min(seeds)} to {max(seeds)};\n"
            f"# {agent.solved} of {len(seeds)} solved: the best agent of "
            f"{agent.runs[0].total_timesteps} env steps, on episodes that chose nothing.\n"
            f"# {when_and_where}:\n"
            f"# bench/learn/run --env {agent.env} --algo {agent.algo} --seeds {len(seeds)} "
            f"--out runs -- --no-early-stop\n")


def without_comment(text):
    """A file's settings, without the comment at its top."""
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#"):
        del lines[0]
    return "".join(lines)


def write(folder, when_and_where, zoo=ZOO):
    for agent in results.read(folder):
        path = zoo / agent.env / f"{agent.algo}.toml"
        path.write_text(comment(agent, when_and_where) + without_comment(path.read_text()))
        print(path.relative_to(zoo))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(pathlib.Path(sys.argv[1]), sys.argv[2])
