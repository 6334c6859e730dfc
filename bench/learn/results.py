# SPDX-License-Identifier: MIT
"""runs.csv and curves.csv, read by agent: an algorithm on an environment, with all its seeds."""
import csv
import io
import os
import typing

from environments import ENVIRONMENTS

RUN_FIELDS = ("env", "algo", "seed", "exit_code", "score", "solved", "env_steps", "seconds",
              "weights_fnv1a", "learning_rate", "total_timesteps", "error")
CURVE_FIELDS = ("env", "algo", "seed", "env_steps", "score")


class Run(typing.NamedTuple):
    seed: int
    score: float  # NaN where it failed
    solved: bool
    curve: list  # (env steps, score) of each evaluation
    learning_rate: str
    total_timesteps: int
    error: str  # empty where it trained to its end


class Agent(typing.NamedTuple):
    env: str
    algo: str
    runs: list

    @property
    def environment(self):
        return ENVIRONMENTS[self.env]

    @property
    def trained(self):
        return [run for run in self.runs if not run.error]

    @property
    def failed(self):
        return [run for run in self.runs if run.error]

    @property
    def scores(self):
        return [run.score for run in self.trained]

    @property
    def solved(self):
        return sum(run.solved for run in self.runs)

    @property
    def curves(self):
        """Those of runs with evaluations."""
        return [run.curve for run in self.trained if run.curve]


def write_csv(path, fields, rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([fields, *rows])
    replace(path, stream.getvalue())


def replace(path, text):
    """A reader finds the file as it was or as it is, never a part."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def read(folder):
    """The agents, in the order in which runs.csv names them."""
    curves = {}
    with open(folder / "curves.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            curve = curves.setdefault((row["env"], row["algo"], row["seed"]), [])
            curve.append((int(row["env_steps"]), float(row["score"])))
    runs = {}
    with open(folder / "runs.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            curve = curves.get((row["env"], row["algo"], row["seed"]), [])
            runs.setdefault((row["env"], row["algo"]), []).append(
                Run(int(row["seed"]), float(row["score"] or "nan"), row["solved"] == "1", curve,
                    row["learning_rate"], int(row["total_timesteps"] or 0), row["error"]))
    return [Agent(env, algo, found) for (env, algo), found in runs.items()]


def by_env(agents):
    """{environment: its agents}."""
    found = {}
    for agent in agents:
        found.setdefault(agent.env, []).append(agent)
    return found
