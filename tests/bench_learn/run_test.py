#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/learn/run from outside, with a trainer that is none: what runs, is kept, and fails."""
import csv
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "bench" / "learn" / "run"
FAKE = pathlib.Path(__file__).with_name("fake_trainer.py")
SHORT = ("--env", "CartPole-v1", "--algo", "dqn")


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"
        self.calls = self.folder / "calls"

    def start(self, *arguments, trainer=FAKE, **fake):
        self.calls.write_text("")
        environment = {**os.environ, "FAKE_CALLS": str(self.calls), **fake}
        return subprocess.Popen([RUN, "--out", self.out, "--trainer", trainer, *arguments],
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def run_with(self, code, *arguments, **fake):
        """(Standard output, standard error) of a call that ends with the code."""
        process = self.start(*arguments, **fake)
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, output + errors)
        return output, errors

    def refused(self, *arguments, mentions, code=2, **fake):
        output, errors = self.run_with(code, *arguments, **fake)
        self.assertEqual(output, "")
        for word in mentions:
            self.assertIn(word, errors)
        self.assertEqual(self.seeds_called(), [])

    def called(self):
        """The words of each call of the trainer."""
        return [line.split()[1:] for line in self.calls.read_text().splitlines()]

    def seeds_called(self):
        return sorted(int(words[words.index("--seed") + 1])
                      for words in self.called() if "--seed" in words)

    def rows(self, name):
        with open(self.out / name, newline="") as stream:
            return list(csv.DictReader(stream))

    def test_every_agent_and_seed_runs_once(self):
        output, errors = self.run_with(0, "--env", "CartPole-v1,Acrobot-v1", "--algo",
                                       "rainbow,dqn", "--seeds", "3", "--first-seed", "4")
        expected = [(env, algo, seed) for env in ("CartPole-v1", "Acrobot-v1")
                    for algo in ("rainbow", "dqn") for seed in ("4", "5", "6")]
        rows = self.rows("runs.csv")
        self.assertEqual([(row["env"], row["algo"], row["seed"]) for row in rows], expected)
        self.assertEqual(len(self.seeds_called()), 12)
        self.assertIn("12 of 12: ", errors)
        self.assertEqual(output, (self.out / "table.md").read_text())
        for name in ("curves-CartPole-v1.svg", "curves-Acrobot-v1.svg", "scores.svg"):
            self.assertTrue((self.out / name).exists(), name)

    def test_a_row_is_the_runs_json(self):
        self.run_with(0, *SHORT, "--seeds", "1")
        row, = self.rows("runs.csv")
        result = json.loads((self.out / "CartPole-v1" / "dqn" / "1.json").read_text())["result"]
        self.assertEqual(float(row["score"]), result["mean_return"])
        self.assertEqual(int(row["env_steps"]), result["env_steps"])
        self.assertEqual(row["solved"], str(int(result["solved"])))
        self.assertEqual((row["weights_fnv1a"], row["seconds"], row["exit_code"], row["error"]),
                         (result["weights_fnv1a"], "0.5", row["exit_code"], ""))
        self.assertEqual((row["learning_rate"], row["total_timesteps"]), ("0.002", "20000"))
        log = (self.out / "CartPole-v1" / "dqn" / "1.csv").read_text().splitlines()[1:]
        curve = [(row["env_steps"], float(row["score"])) for row in self.rows("curves.csv")]
        self.assertEqual(curve, [(line.split(",")[0], float(line.split(",")[1])) for line in log])

    def test_agents_are_built_before_any_run(self):
        self.run_with(0, *SHORT[:3], "dqn,double", "--seeds", "2", "--", "--learning-rate", "1e-3")
        agent = ["--env", "CartPole-v1", "--algo"]
        flags = ["--learning-rate", "1e-3", "--print-config"]
        self.assertEqual(self.called()[:3], [["--list", "--json"], [*agent, "dqn", *flags],
                                             [*agent, "double", *flags]])
        for words in self.called()[3:]:
            self.assertEqual(words[:4], [*agent, words[3]])
            self.assertEqual(words[6:9], ["--json", "--quiet", "--evaluation-log"])
            self.assertEqual(words[10:], flags[:2])
        self.assertEqual({row["learning_rate"] for row in self.rows("runs.csv")}, {"1e-3"})

    def test_what_is_kept_is_not_run_again(self):
        self.run_with(0, *SHORT, "--seeds", "2")
        kept = self.rows("runs.csv")
        _, errors = self.run_with(0, *SHORT, "--seeds", "3")
        self.assertEqual(self.seeds_called(), [3])
        self.assertIn("3 runs, 2 of them kept from before", errors)
        self.assertEqual(self.rows("runs.csv")[:2], kept)
        self.run_with(0, *SHORT, "--seeds", "2", "--again")
        self.assertEqual(self.seeds_called(), [1, 2])
        self.assertEqual(self.rows("runs.csv")[:2], kept)

    def test_an_algorithm_may_be_added(self):
        self.run_with(0, *SHORT, "--seeds", "2")
        self.run_with(0, *SHORT[:3], "double", "--seeds", "2")
        algos = [row["algo"] for row in self.rows("runs.csv")]
        self.assertEqual(algos, ["double", "double", "dqn", "dqn"])

    def test_a_call_of_the_same_runs_writes_the_same(self):
        first, _ = self.run_with(0, *SHORT, "--seeds", "4")
        pictures = [path.read_text() for path in sorted(self.out.glob("*.svg"))]
        again, _ = self.run_with(0, *SHORT, "--seeds", "4")
        self.assertEqual(first, again)
        self.assertEqual(pictures, [path.read_text() for path in sorted(self.out.glob("*.svg"))])

    def test_a_run_that_solves_nothing_has_not_failed(self):
        self.run_with(0, *SHORT, "--seeds", "2", "--", "--total-timesteps", "1000", FAKE_1="poor")
        row = self.rows("runs.csv")[0]
        self.assertEqual((row["exit_code"], row["solved"], row["error"]), ("1", "0", ""))

    def test_failures_are_kept_and_counted(self):
        ways = {"1": ("diverged", "2", "exit code 2: error: diverged, at env step 7"),
                "2": ("killed", "-9", "signal 9:"),
                "3": ("silent", "0", "its standard output does not end with a JSON object"),
                "4": ("no log", "0", "--evaluation-log 4.csv: "),
                "5": ("nan", "1", "its JSON object has no finite mean_return"),
                "6": ("bad log", "0", "--evaluation-log 6.csv: its first line is not")}
        fakes = {f"FAKE_{seed}": way for seed, (way, _, _) in ways.items()}
        output, errors = self.run_with(1, *SHORT, "--seeds", "8", **fakes)
        rows = self.rows("runs.csv")
        for row in rows[:6]:
            _, code, error = ways[row["seed"]]
            self.assertEqual((row["exit_code"], row["score"], row["solved"]), (code, "", ""))
            self.assertTrue(row["error"].startswith(error), row["error"])
            self.assertIn(f"- failed: CartPole-v1 dqn seed {row['seed']}: {error}", output)
        self.assertIn("dqn seed 1: failed, exit code 2: error: diverged,\nat env step 7", errors)
        self.assertEqual({row["seed"] for row in self.rows("curves.csv")}, {"7", "8"})
        self.run_with(0, *SHORT, "--seeds", "8")  # the failed ones, again
        self.assertEqual(self.seeds_called(), [1, 2, 3, 4, 5, 6])

    def test_an_interrupt_ends_the_runs_and_keeps_those_that_had_ended(self):
        process = self.start(*SHORT, "--seeds", "4", "--jobs", "2", FAKE_2="sleep", FAKE_3="sleep")
        record = self.out / "CartPole-v1" / "dqn" / "1.json"
        deadline = time.monotonic() + 60
        while self.seeds_called() != [1, 2, 3] or not record.exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertIn("interrupted", errors)
        self.assertEqual(sorted(path.name for path in record.parent.glob("*.json")), ["1.json"])
        for line in self.calls.read_text().splitlines():
            with self.assertRaises(ProcessLookupError):
                os.kill(int(line.split()[0]), 0)
        self.run_with(0, *SHORT, "--seeds", "4")
        self.assertEqual(self.seeds_called(), [2, 3, 4])

    def test_other_settings_are_not_mixed(self):
        self.run_with(0, *SHORT, "--seeds", "1")
        self.refused(*SHORT, "--seeds", "2", "--", "--learning-rate", "1e-4",
                     mentions=["error: --out", "learning-rate=0.002", "now learning-rate=1e-4"])

    def test_what_does_not_build_ends_all(self):
        self.refused(*SHORT, mentions=["it does not compile", "exit code 4"], code=4,
                     FAKE_UNBUILT="1")

    def test_refusals_name_what_is_allowed(self):
        for arguments, mentions in (
                (("--env", "Pong", "--algo", "dqn"), ["--env Pong", "CartPole-v1, Acrobot-v1"]),
                (("--env", "CartPole-v1", "--algo", "ppo"), ["--algo ppo", "double, dqn, rainbow"]),
                ((*SHORT[:3], "dqn,,double"), ["--algo", "dqn,,double", "each once"]),
                ((*SHORT[:3], "dqn,dqn"), ["--algo", "dqn,dqn", "each once"]),
                ((*SHORT, "--seeds", "0"), ["--seeds", "0: allowed: whole numbers from 1"]),
                ((*SHORT, "--first-seed", "-1"), ["--first-seed", "from 0"]),
                ((*SHORT, "--jobs", "two"), ["--jobs", "two: allowed: whole numbers from 1"]),
                ((*SHORT, "--compare", "dqn"), ["--compare", "dqn: allowed: two algorithms"]),
                ((*SHORT, "--compare", "dqn,ppo"), ["--compare ppo", "allowed: --algo's dqn"]),
                ((*SHORT, "--", "--learning-rat", "1"), ["--learning-rat", "exit code 2"])):
            with self.subTest(arguments):
                self.refused(*arguments, mentions=mentions)
        self.refused(*SHORT, trainer=self.folder / "none", mentions=["--trainer", "No such file"])


if __name__ == "__main__":
    unittest.main()
