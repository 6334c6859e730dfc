# SPDX-License-Identifier: MIT
"""Runs of the trainer, side by side, and the folder that keeps them.

DIR/<env>/<algo>/ holds settings.toml, as --print-config prints it, and of each seed <seed>.csv, the
evaluations, and <seed>.json, the record, written once the run has ended. What is run again is what
has no record or failed. DIR/runs.csv and DIR/curves.csv are made of the records.
"""
import csv
import json
import math
import pathlib
import subprocess
import tempfile
import time
import typing

from results import CURVE_FIELDS, RUN_FIELDS, replace, write_csv

# The trainer's exit codes.
TRAINED = (0, 1)  # solved, not solved
UNBUILT = (3, 4)  # packages are missing, it does not build
MOST_CHARACTERS_OF_ERRORS = 2000
NEEDED = ("mean_return", "solved", "env_steps", "train_seconds", "weights_fnv1a")


class Failure(Exception):
    """A sentence for the user, and the exit code."""

    def __init__(self, sentence, code=2):
        super().__init__(sentence)
        self.code = code


class Job(typing.NamedTuple):
    env: str
    algo: str
    seed: int

    def __str__(self):
        return f"{self.env} {self.algo} seed {self.seed}"


class Trainer:
    """The program that trains, with the flags that every run gets."""

    def __init__(self, program, flags):
        self.program, self.flags = str(program), list(flags)

    def _answer(self, *arguments):
        """Standard output; what the program has to complain about goes to standard error."""
        try:
            done = subprocess.run([self.program, *arguments], stdout=subprocess.PIPE, text=True)
        except OSError as reason:
            raise Failure(f"--trainer {self.program}: {reason.strerror}; "
                          "allowed: programs") from None
        if done.returncode != 0:
            command = " ".join([self.program, *arguments])
            raise Failure(f"{command}: exit code {done.returncode}",
                          done.returncode if done.returncode in UNBUILT else 2)
        return done.stdout

    def agents(self):
        """(environment, algorithm) of all that the program can train."""
        listed = json.loads(self._answer("--list", "--json"))
        return [(agent["env"], agent["algo"]) for agent in listed]

    def settings(self, env, algo):
        """The agent's settings but the seed. To answer, ./train has to build the agent, so that
        runs that start together later do not."""
        text = self._answer("--env", env, "--algo", algo, *self.flags, "--print-config")
        return "".join(line for line in text.splitlines(keepends=True)
                       if not line.startswith("seed"))

    def start(self, job, log):
        """A run that has begun."""
        return Process([self.program, "--env", job.env, "--algo", job.algo, "--seed", str(job.seed),
                        "--json", "--quiet", "--evaluation-log", str(log), *self.flags])


class Process:
    """A process whose standard output and error are kept, however long they are."""

    def __init__(self, command):
        self._files = [tempfile.TemporaryFile() for _ in range(2)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._files[0],
                                         stderr=self._files[1])

    def exit_code(self):
        """None while it runs; below zero where a signal killed it."""
        return self._process.poll()

    def outputs(self):
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        return texts

    def end(self):
        self._process.terminate()
        self._process.wait()


def record_of(exit_code, output, errors, log):
    """What is kept of a run: its exit code, its JSON object, and, where it failed, why."""
    try:
        result = json.loads(output.splitlines()[-1], parse_constant=lambda name: None)
    except (IndexError, json.JSONDecodeError):
        result = None
    return {"exit_code": exit_code, "result": result,
            "error": why_failed(exit_code, result, errors, log)}


def why_failed(exit_code, result, errors, log):
    """Empty for a run that has trained to its end, reported a score and logged its evaluations."""
    if exit_code not in TRAINED:
        how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        return f"{how}: {errors.strip()[-MOST_CHARACTERS_OF_ERRORS:]}"
    if not isinstance(result, dict):
        return "its standard output does not end with a JSON object"
    missing = [key for key in NEEDED if result.get(key) is None]
    if missing:
        return f"its JSON object has no finite {', '.join(missing)}"
    try:
        read_log(log)
    except (OSError, ValueError) as reason:
        return f"--evaluation-log {log.name}: {reason}"
    return ""


def read_log(path):
    """[(env steps, score)] of a trainer's evaluation log."""
    with open(path, newline="") as stream:
        rows = csv.reader(stream)
        if next(rows, None) != ["env_steps", "mean_return"]:
            raise ValueError("its first line is not env_steps,mean_return")
        curve = [(int(env_steps), float(score)) for env_steps, score in rows]
    if not all(math.isfinite(score) for _, score in curve):
        raise ValueError("a score is not finite")
    if any(later <= env_steps for (env_steps, _), (later, _) in zip(curve, curve[1:])):
        raise ValueError("env_steps do not rise")
    return curve


class Folder:
    """DIR: what is kept of all runs."""

    def __init__(self, path):
        self.path = pathlib.Path(path).absolute()

    def _agent(self, env, algo):
        return self.path / env / algo

    def record_path(self, job):
        return self._agent(job.env, job.algo) / f"{job.seed}.json"

    def log_path(self, job):
        return self.record_path(job).with_suffix(".csv")

    def keep_settings(self, env, algo, settings):
        """Runs with other settings are never mixed with those that are here."""
        path = self._agent(env, algo) / "settings.toml"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(settings)
            return
        kept, now = path.read_text().splitlines(), settings.splitlines()
        if kept != now:
            before = ", ".join(line for line in kept if line not in now) or "fewer"
            after = ", ".join(line for line in now if line not in kept) or "fewer"
            raise Failure(f"--out {self.path}: its runs of {env} {algo} have other settings "
                          f"({before}; now {after}); allowed: the same, another folder, or this "
                          f"one without {path.parent}")

    def has(self, job):
        path = self.record_path(job)
        return path.exists() and not json.loads(path.read_text())["error"]

    def keep(self, job, record):
        replace(self.record_path(job), json.dumps(record) + "\n")

    def _records(self):
        for path in self.path.glob("*/*/*.json"):
            job = Job(path.parent.parent.name, path.parent.name, int(path.stem))
            yield job, json.loads(path.read_text())

    def write_tables(self, envs, algos):
        """runs.csv and curves.csv of all that is here; `envs` and `algos` first, in their order."""
        def place(entry):
            job = entry[0]
            return (envs.index(job.env) if job.env in envs else len(envs), job.env,
                    algos.index(job.algo) if job.algo in algos else len(algos), job.algo, job.seed)

        run_rows, curve_rows = [], []
        for job, record in sorted(self._records(), key=place):
            settings = settings_from((self._agent(job.env, job.algo) / "settings.toml").read_text())
            run_rows.append(run_row(job, record, settings))
            if not record["error"]:
                curve_rows += [(*job, *point) for point in read_log(self.log_path(job))]
        write_csv(self.path / "runs.csv", RUN_FIELDS, run_rows)
        write_csv(self.path / "curves.csv", CURVE_FIELDS, curve_rows)


def settings_from(text):
    """{name: value} of a flat TOML file; names with hyphens, values as they are written."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip().replace("_", "-"): value.strip() for name, value in pairs}


def run_row(job, record, settings):
    rate = settings.get("learning-rate", "")
    if "learning-rate-end" in settings:
        rate += " to " + settings["learning-rate-end"]
    result = {} if record["error"] else record["result"]
    return (*job, record["exit_code"], result.get("mean_return", ""),
            int(result["solved"]) if result else "", result.get("env_steps", ""),
            result.get("train_seconds", ""), result.get("weights_fnv1a", ""), rate,
            settings.get("total-timesteps", ""), " ".join(record["error"].split()))


def train_all(jobs, trainer, folder, width):
    """Trains the jobs, `width` at a time; yields (job, record) as they end. Closed or interrupted,
    it ends those that run and keeps nothing of them."""
    waiting, running = list(reversed(jobs)), {}
    try:
        while waiting or running:
            while waiting and len(running) < width:
                job = waiting.pop()
                folder.record_path(job).unlink(missing_ok=True)
                folder.log_path(job).unlink(missing_ok=True)
                running[job] = trainer.start(job, folder.log_path(job))
            for job in [job for job, run in running.items() if run.exit_code() is not None]:
                run = running.pop(job)
                record = record_of(run.exit_code(), *run.outputs(), folder.log_path(job))
                folder.keep(job, record)
                yield job, record
            time.sleep(.02)
    finally:
        for run in running.values():
            run.end()
