#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs slurm.sbatch against commands that stand in for srun and scontrol: what it starts, and that
it goes back into the queue where a rank was lost and nowhere else."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "cluster" / "slurm.sbatch"
CPU, MANY_GPUS = "build/release/examples/trainers/cpu", "build/gpu/examples/trainers/many_gpus"
STAND_IN = """#!/bin/sh
for word in {name} "$@"; do printf '%s\\n' "$word"; done >> "$RECORD"
printf 'MASTER_PORT=%s\\n\\n' "${{MASTER_PORT:-}}" >> "$RECORD"
exit {code}
"""


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Slurm(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        executable(self.folder / CPU, "")
        executable(self.folder / MANY_GPUS, "")

    def run_job(self, code, *arguments, requeue_code=0, **variables):
        """The job whose srun answers `code`; and the commands it called, each a list of words."""
        record = self.folder / "record"
        record.write_text("")
        for name, answer in (("srun", code), ("scontrol", requeue_code)):
            executable(self.folder / "bin" / name, STAND_IN.format(name=name, code=answer))
        environment = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                       "RECORD": str(record), "SLURM_JOB_ID": "4242", **variables}
        done = subprocess.run(["bash", SCRIPT, *arguments], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=60)
        calls = [call.split("\n") for call in record.read_text().split("\n\n") if call]
        return done, calls

    def test_is_a_script(self):
        subprocess.run(["bash", "-n", SCRIPT], check=True, timeout=60)

    def test_asks_slurm(self):
        asked = re.findall(r"^#SBATCH (\S+)$", SCRIPT.read_text(), re.M)
        self.assertIn("--requeue", asked)
        self.assertIn("--signal=USR1@120", asked)  # with B: it would reach the script alone
        self.assertIn("--open-mode=append", asked)  # else a restart empties the log

    def test_starts_ranks_over_mpi(self):
        done, calls = self.run_job(0, "--seed", "7", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls, [["srun", "--mpi=pmix", "--kill-on-bad-exit=0", "--wait=600", CPU,
                                  "--seed", "7", "--json", "MASTER_PORT="]])

    def test_starts_a_rank_for_each_gpu(self):
        for flags in (["--device", "cuda"], ["--quiet", "--device=cuda"]):
            done, calls = self.run_job(0, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(calls, [["srun", "--mpi=none", "--gpu-bind=none",
                                      "--kill-on-bad-exit=0", "--wait=600", MANY_GPUS, *flags,
                                      "MASTER_PORT=24242"]])

    def test_keeps_arguments_whole(self):
        _, calls = self.run_job(0, "--config", "a file.toml")
        self.assertEqual(calls[0][5:7], ["--config", "a file.toml"])

    def test_ends_with_the_run(self):
        # Solved, not solved, failed, interrupted, killed, terminated.
        for code in (0, 1, 2, 130, 137, 143):
            done, calls = self.run_job(code)
            self.assertEqual(done.returncode, code)
            self.assertEqual([call[0] for call in calls], ["srun"], f"at {code}")

    def test_requeues_where_a_rank_was_lost(self):
        done, calls = self.run_job(75, SLURM_RESTART_COUNT="4")
        self.assertEqual(done.returncode, 75)
        self.assertEqual([call[0] for call in calls], ["srun", "scontrol"])
        self.assertEqual(calls[1][1:3], ["requeue", "4242"])
        self.assertIn("begin anew", done.stderr)

    def test_gives_up_behind_five_restarts(self):
        done, calls = self.run_job(75, SLURM_RESTART_COUNT="5")
        self.assertEqual(done.returncode, 75)
        self.assertEqual([call[0] for call in calls], ["srun"])
        self.assertIn("after 5 restarts", done.stderr)

    def test_says_75_where_slurm_may_not_requeue(self):
        done, _ = self.run_job(75, requeue_code=1)
        self.assertEqual(done.returncode, 75)

    def test_names_a_trainer_that_is_absent(self):
        (self.folder / CPU).unlink()
        done, calls = self.run_job(0)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(calls, [])
        self.assertIn(f"{CPU} is absent", done.stderr)


if __name__ == "__main__":
    unittest.main()
