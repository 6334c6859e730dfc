#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs agents of the zoo as their users do: zoo_test.py BUILD. Builds the two that it runs."""
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv[1])
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TRAINERS = os.path.join(BUILD, "examples", "trainers")
RAINBOW = "cpu_Acrobot-v1_rainbow"
SCALED = "cpu_MountainCar-v0_c51"  # distributions behind scaled inputs


def run(name, *arguments):
    return subprocess.run([os.path.join(TRAINERS, name), *arguments], capture_output=True,
                          text=True, timeout=600)


class Zoo(unittest.TestCase):
    def refused(self, name, arguments, *mentioned):
        done = run(name, "--quiet", *arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in mentioned:
            self.assertIn(word, done.stderr)

    def test_the_list_is_the_folder(self):
        files = {tuple(path.removesuffix(".toml").split(os.sep)[-2:])
                 for path in glob.glob(os.path.join(ROOT, "examples", "zoo", "*", "*.toml"))}
        done = run("cpu", "--list", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        listed = json.loads(done.stdout)
        for backend in ("EigenCpu", "ThrustCuda"):
            found = [(agent["env"], agent["algo"]) for agent in listed
                     if agent["backend"] == backend]
            self.assertEqual(sorted(found), sorted(files))
        self.assertEqual({frozenset(agent) for agent in listed},
                         {frozenset(("env", "algo", "backend"))})
        lines = run("cpu", "--list").stdout.splitlines()
        self.assertEqual(len(lines), len(listed))
        self.assertIn("Acrobot-v1  rainbow  EigenCpu", lines)

    def test_mistyped_names_get_the_nearest(self):
        self.refused("cpu", ["--env", "Acrobat-v1"], "--env Acrobat-v1; allowed: Acrobot-v1, ",
                     "the nearest is Acrobot-v1")
        self.refused("cpu", ["--env", "MountainCar"], "the nearest is MountainCar-v0")
        self.refused("cpu", ["--env", ""], "--env", "the nearest is")
        self.refused("cpu", ["--algo", "rainbw"], "--algo rainbw; allowed: ", "dqn",
                     "the nearest is rainbow")

    def test_another_agent_is_refused_never_replaced(self):
        self.refused("cpu", ["--env", "Acrobot-v1"], "compiled for CartPole-v1 by dqn",
                     "./train --env Acrobot-v1 --algo dqn builds the other")
        self.refused(RAINBOW, ["--algo", "c51"], "compiled for Acrobot-v1 by rainbow",
                     "./train --env Acrobot-v1 --algo c51 builds the other")

    def test_flags_of_other_algorithms_are_unknown(self):
        for flag in ("--v-min", "--prioritized-replay-alpha", "--prioritized-replay-beta"):
            self.refused("cpu", [flag, "0"], flag, "--help")
        self.refused(SCALED, ["--prioritized-replay-alpha", "0"], "--help")
        self.refused(SCALED, ["--loss", "huber"], "--loss", "--help")
        self.refused(RAINBOW, ["--double"], "--double", "--help")

    def test_the_zoos_settings_are_the_defaults(self):
        printed = run(RAINBOW, "--print-config").stdout.splitlines()
        for line in ('env="Acrobot-v1"', 'algo="rainbow"', "total-timesteps=100000", "v-max=0",
                     "start-e=0", "end-e=0", "solved-at=-100"):
            self.assertIn(line, printed)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trainer.toml")
            with open(path, "w") as file:
                file.write("\n".join(printed))
            again = run(RAINBOW, "--config", path, "--print-config").stdout
        self.assertEqual(again.splitlines(), printed)
        self.assertIn("start-e=0.5\n", run(RAINBOW, "--start-e", "0.5", "--print-config").stdout)
        self.assertIn("v-max=5\n", run(RAINBOW, "--v-max", "5", "--print-config").stdout)

    def test_out_of_range(self):
        self.refused(RAINBOW, ["--v-min", "1"], "--v-max", "Categorical.high = 0",
                     "> Categorical.low, 1")
        self.refused(RAINBOW, ["--v-min", "nan"], "--v-min nan", "finite numbers")
        self.refused(RAINBOW, ["--prioritized-replay-alpha", "2"], "--prioritized-replay-alpha",
                     "[0, 1]")
        self.refused(RAINBOW, ["--prioritized-replay-beta", "-1"], "--prioritized-replay-beta",
                     "[0, 1]")
        self.refused(RAINBOW, ["--learning-starts", "1"], "--learning-starts",
                     "TrainSettings.warm_up_env_steps = 1; allowed: >= 2")
        self.refused(RAINBOW, ["--buffer-size", "63"], "--buffer-size", "the batch size")

    def test_a_run_and_its_log(self):
        for name in (RAINBOW, SCALED):
            with tempfile.TemporaryDirectory() as folder:
                log = os.path.join(folder, "log.csv")
                done = run(name, "--json", "--quiet", "--total-timesteps", "3000", "--no-early-stop",
                           "--evaluation-log", log)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                self.assertEqual(done.stderr, "")
                found = json.loads(done.stdout.splitlines()[-1])
                self.assertEqual(f"cpu_{found['env']}_{found['algo']}", name)
                with open(log) as file:
                    rows = list(csv.DictReader(file))
                self.assertEqual([int(row["env_steps"]) for row in rows], [2000, 3000])
                for row in rows:
                    self.assertTrue(-500 <= float(row["mean_return"]) <= 0)
        self.refused("cpu", ["--evaluation-log", "/no/such/folder/log.csv"],
                     "--evaluation-log /no/such/folder/log.csv", "a file that can be written")


if __name__ == "__main__":
    targets = [f"polyq_train_{name}" for name in ("cpu", RAINBOW, SCALED)]
    subprocess.run(["cmake", "--build", BUILD, "--target", *targets], check=True,
                   stdout=subprocess.DEVNULL)
    print("the zoo checked in", BUILD)
    unittest.main(argv=sys.argv[:1], verbosity=2)
