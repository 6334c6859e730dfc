#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the trainers as their users do: trainer_test.py PATH_OF_CPU PATH_OF_FAULTY [mpi]. With `mpi`
under mpirun, without it alone. Counts of steps and updates are those of one environment, the
default."""
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CPU, FAULTY = (os.path.abspath(path) for path in sys.argv[1:3])
KEYS = {"env", "algo", "seed", "ending", "solved", "env_steps", "updates", "episodes", "train_seconds",
        "mean_return", "last_mean_return", "training_return", "largest_value", "value_bound",
        "weights_fnv1a",
        "batch_size", "hidden", "num_envs", "ranks", "shards", "global_batch", "reduction", "backend"}
SHORT = ["--total-timesteps", "2000"]  # 999 updates of the default settings
EASY = ["--solved-at", "30", "--stop-at", "30"]  # any machine's rounding gets there
ENDLESS = ["--total-timesteps", "1000000000", "--no-early-stop"]
WHOLE = "whole numbers"


def train(*arguments, trainer=CPU):
    return subprocess.run([trainer, *arguments], capture_output=True, text=True, timeout=600)


def last_object(output):
    """The JSON object of the last line of standard output; NaN and infinities are refused."""
    return json.loads(output.splitlines()[-1], parse_constant=lambda name: 1 / 0)


class Trainer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, text):
        path = os.path.join(self.folder, "trainer.toml")
        with open(path, "w") as stream:
            stream.write(text)
        return path

    def refused(self, arguments, *mentioned, trainer=CPU):
        """Exit 2, nothing on standard output, one line of error that holds every word."""
        done = train(*arguments, trainer=trainer)
        where = f"{arguments}: {done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, 2, where)
        self.assertEqual(done.stdout, "", where)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, where)
        for word in mentioned:
            self.assertIn(word, errors[0], where)

    def config(self, *arguments):
        done = train("--print-config", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def object(self, done, ending, solved=None):
        found = last_object(done.stdout)
        self.assertEqual(set(found), KEYS)
        self.assertEqual(found["ending"], ending)
        self.assertRegex(found["weights_fnv1a"], "^[0-9a-f]{16}$")
        if solved is not None:
            self.assertIs(found["solved"], solved)
        return found

    def start(self, *arguments):
        """A run that has begun to train; its pipes."""
        run = subprocess.Popen([CPU, *ENDLESS, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.stderr.close)
        while "updates between" not in run.stderr.readline():  # said once it listens
            self.assertIsNone(run.poll())
        time.sleep(.5)
        return run


class Ranks(Trainer):
    def run_with(self, *arguments):
        done = train(*SHORT, *EASY, "--json", *arguments)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return self.object(done, "goal" if done.returncode == 0 else "budget"), done.stderr

    def test_one_rank_is_one_shard(self):
        found, notes = self.run_with()
        self.assertEqual([found[key] for key in ("ranks", "shards", "global_batch", "reduction")],
                         [1, 1, 64, "fast"])
        self.assertNotIn("shards", notes)

    def test_thread_ranks(self):
        found, notes = self.run_with("--ranks", "2")
        self.assertEqual([found[key] for key in ("ranks", "shards", "global_batch", "reduction")],
                         [2, 2, 128, "fast"])
        self.assertEqual(found["env_steps"] % 2, 0)
        self.assertIn("2 ranks in one process; an update learns from 2 shards of 64 transitions",
                      notes)
        self.assertLessEqual(notes.count("%|"), 2)

    def test_reproducible_ranks_leave_the_same_bits(self):
        left = []
        for ranks in ("1", "2", "4"):
            found, _ = self.run_with("--ranks", ranks, "--reduction", "reproducible")
            self.assertEqual(found["shards"], 4)
            self.assertEqual(found["global_batch"], 256)
            left.append({key: value for key, value in found.items()
                         if key not in ("ranks", "train_seconds")})
        self.assertEqual(left[0], left[1])
        self.assertEqual(left[0], left[2])

    def test_defaults_are_whole_for_any_number_of_ranks(self):
        found, _ = self.run_with("--ranks", "3", "--total-timesteps", "2001")
        self.assertEqual(found["shards"], 3)
        config = self.config("--ranks", "3")
        self.assertIn("total-timesteps=50001\n", config)
        self.assertIn("buffer-size=50001\n", config)
        self.assertIn("evaluation-frequency=1002\n", config)

    def test_a_fault_of_one_ranks_environment_ends_all_alike(self):
        done = train("--ranks", "2", "--json", trainer=FAULTY)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.object(done, "environment error")
        self.assertEqual(done.stderr.count("error: "), 1)

    def test_an_interrupt_stops_all_ranks(self):
        process = self.start("--json", "--ranks", "2")
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(last_object(output)["ending"], "interrupted")

    def test_what_cannot_be_is_refused(self):
        for arguments, words in {
                ("--ranks", "0"): ("--ranks", "ranks = 0", "[1, 1024]"),
                ("--ranks", "x"): ("--ranks x", WHOLE),
                ("--shards", "4"): ("--shards", "4; allowed: 1, the number of ranks",
                                    "Reduction::reproducible"),
                ("--reduction", "reproducible", "--shards", "3"): ("--shards", "powers of two"),
                ("--reduction", "reproducible", "--ranks", "3"): ("multiple of the number of ranks",),
                ("--reduction", "slow"): ("--reduction slow", "fast, reproducible"),
                ("--deadline-seconds", "0"): ("--deadline-seconds", "(0, 1e9]"),
                ("--ranks", "2", "--total-timesteps", "2001"): ("--total-timesteps", "multiple of",
                                                                "environments, 2"),
                ("--ranks", "3", "--buffer-size", "1000"): ("--buffer-size",
                                                            "multiple of the number of shards, 3"),
                ("--rank", "1"): ("--world-size",),
                ("--rank", "2", "--world-size", "2"): ("--rank = 2", "< --world-size, 2"),
                ("--ranks", "2", "--rank", "0", "--world-size", "2"): ("--ranks 2 in rank 0 of 2",),
        }.items():
            self.refused(arguments, *words)


class OverMpi(Trainer):
    @staticmethod
    def runs(process):
        """Whether a process is there and more than an entry that nobody has waited for."""
        try:
            with open(f"/proc/{process}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def assert_gone(self, *processes):
        """mpirun may return a moment before those that it kills are gone."""
        for _ in range(50):
            if not any(map(self.runs, processes)):
                return
            time.sleep(.1)
        self.fail(f"{[process for process in processes if self.runs(process)]} still run")

    def launch(self, ranks, *arguments):
        process = subprocess.Popen(["mpirun", "-n", str(ranks), CPU, *arguments], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        return process

    def ranks_of(self, process):
        """Process numbers of the ranks, once all run."""
        for _ in range(100):
            found = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(process.pid)],
                                   capture_output=True, text=True).stdout.split()
            ranks = [int(pid) for pid, name in zip(found[::2], found[1::2]) if name == "cpu"]
            if len(ranks) == 2:
                time.sleep(1)
                return ranks
            time.sleep(.1)
        self.fail("mpirun started no ranks")

    def test_the_same_bits_as_one_rank(self):
        arguments = [*SHORT, *EASY, "--json", "--reduction", "reproducible"]
        alone = self.object(train(*arguments), "goal")
        for ranks in (2, 4):
            process = self.launch(ranks, *arguments)
            output, notes = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, notes)
            found = last_object(output)
            self.assertEqual(output.count("solved CartPole-v1"), 1)
            self.assertIn(f"rank 0 of {ranks}, local rank 0, by Open MPI", notes)
            self.assertEqual(found["ranks"], ranks)
            for key in set(found) - {"ranks", "train_seconds"}:
                self.assertEqual(found[key], alone[key], key)

    def test_two_ranks_solve(self):
        process = self.launch(2, "--seed", "7", "--json")
        output, notes = process.communicate(timeout=200)
        self.assertEqual(process.returncode, 0, notes)
        found = last_object(output)
        self.assertTrue(found["solved"])
        self.assertGreaterEqual(found["mean_return"], 475)

    def test_sigusr1_through_mpirun_stops_all_ranks(self):
        process = self.launch(2, *ENDLESS, "--json")
        self.ranks_of(process)
        process.send_signal(signal.SIGUSR1)
        output, notes = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, notes)
        self.assertEqual([json.loads(line)["ending"] for line in output.splitlines()
                          if line.startswith("{")], ["interrupted"])

    def test_a_stopped_rank_ends_the_job_with_75_and_its_name(self):
        process = self.launch(2, *ENDLESS, "--deadline-seconds", "2")
        ranks = self.ranks_of(process)
        os.kill(ranks[1], signal.SIGSTOP)
        _, notes = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75, notes)
        self.assertIn("missing: rank 1", notes)
        self.assert_gone(*ranks)

    def test_a_killed_rank_ends_the_job(self):
        process = self.launch(2, *ENDLESS)
        ranks = self.ranks_of(process)
        begin = time.monotonic()
        os.kill(ranks[1], signal.SIGKILL)
        process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertNotEqual(process.returncode, 0)
        self.assert_gone(ranks[0])

    def test_other_settings_on_a_rank_are_refused_by_name(self):
        script = os.path.join(self.folder, "rank.sh")
        with open(script, "w") as stream:
            stream.write(f'exec {CPU} --gamma 0.9$OMPI_COMM_WORLD_RANK "$@"\n')
        done = subprocess.run(["mpirun", "-n", "2", "sh", script, *SHORT], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("runs another program or other settings", done.stderr)

    def test_thread_ranks_inside_are_refused(self):
        process = self.launch(2, "--ranks", "2", *SHORT)
        _, notes = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 2, notes)
        self.assertIn("--ranks 2 in rank ", notes)


class Device(Trainer):
    def test_the_compiled_one(self):
        done = train("--device", "cpu", *SHORT, *EASY, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.object(done, "goal")["backend"], "EigenCpu")
        self.assertIn('device="cpu"', self.config())

    def test_another_is_refused_never_replaced(self):
        for device in ("cuda", "cuda:1"):
            self.refused(["--device", device], f"--device {device}", "compiled for cpu",
                         f"./train --device {device}")
        self.refused(["--config", self.file('device = "cuda"\n')], "--device cuda")

    def test_what_is_none(self):
        for device in ("gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999999999", "CUDA", ""):
            self.refused(["--device", device], "--device " + device, "cpu, cuda, cuda:N")

    @unittest.skipIf(os.path.exists("/dev/nvidiactl"), "there is a GPU here")
    def test_train_without_a_gpu_says_what_is_missing(self):
        script = os.path.join(os.path.dirname(__file__), "..", "..", "train")
        for arguments in (["--device", "cuda"], ["--device=cuda:1", "--quiet"]):
            done = subprocess.run([script, *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("missing: ", done.stderr)
            self.assertIn("an NVIDIA GPU with its driver", done.stderr)


class Endings(Trainer):
    def test_solved(self):
        done = train(*EASY, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        best, verdict, _ = done.stdout.splitlines()
        self.assertRegex(best, r"^best agent \(at \d+ env steps\): [\d.]+ \+/- [\d.]+; "
                               r"last agent: [\d.]+ \+/- [\d.]+$")
        self.assertRegex(verdict, r"^solved CartPole-v1: mean return [\d.]+ over 100 greedy "
                                  r"episodes, \d+ env steps, [\d.]+ s$")
        found = self.object(done, "goal", True)
        self.assertGreaterEqual(found["mean_return"], 30)
        self.assertIn(f" {found['env_steps']} env steps", verdict)
        self.assertIn(f"{found['mean_return']:.1f}", verdict)

    def test_not_solved(self):
        done = train(*SHORT, "--json", "--no-early-stop", "--evaluation-episodes", "20",
                     "--solved-at", "501")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout.splitlines()[-2],
                         r"^not solved: CartPole-v1, mean return [\d.]+ over 20 greedy episodes, "
                         r"2000 env steps, [\d.]+ s$")
        found = self.object(done, "budget", False)
        self.assertEqual((found["env_steps"], found["updates"]), (2000, 999))

    def test_without_json_the_verdict_is_last(self):
        done = train(*SHORT, *EASY)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertRegex(done.stdout.splitlines()[-1], "^(not )?solved")

    def test_no_early_stop(self):
        done = train("--total-timesteps", "4000", "--no-early-stop", "--solved-at", "1", "--json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.object(done, "budget", True)["env_steps"], 4000)

    def test_diverged(self):
        done = train("--learning-rate", "1e30", "--json")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn("error: polyq: learning diverged by env step 2000", done.stderr)
        found = self.object(done, "diverged", False)
        self.assertIsNone(found["mean_return"])
        self.assertEqual((found["env_steps"], found["updates"]), (2000, 999))
        self.assertEqual(train("--learning-rate", "1e30").stdout, "")

    def test_environment_error(self):
        done = train("--json", trainer=FAULTY)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"error: polyq: environment Faulty, lane \d+, env step \d+: "
                                      r"observation\[0\] = -?nan; allowed: finite numbers")
        self.assertIsNone(self.object(done, "environment error", False)["mean_return"])

    def test_nothing_learned_is_null_not_nan(self):
        done = train("--json", "--total-timesteps", "8", "--learning-starts", "8",
                     "--evaluation-frequency", "0")
        self.assertEqual(done.returncode, 1)
        self.assertIsNone(self.object(done, "budget")["training_return"])


class Signals(Trainer):
    def test_first_signal_ends_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            run = self.start("--json")
            run.send_signal(number)
            output, _ = run.communicate(timeout=300)
            self.assertEqual(run.returncode, 130)
            self.assertRegex(output.splitlines()[-2],
                             r"^interrupted: CartPole-v1, mean return [\d.]+ over 100 greedy "
                             r"episodes, \d+ env steps, [\d.]+ s$")
            found = last_object(output)
            self.assertEqual(set(found), KEYS)
            self.assertEqual(found["ending"], "interrupted")
            self.assertEqual(found["env_steps"] % 1000, 0)  # at a chunk's end

    def test_second_signal_kills(self):
        run = self.start("--learning-starts", "100", "--gradient-steps", "1000000000")  # a chunk
        for _ in range(2):                                                             # for ever
            run.send_signal(signal.SIGINT)
            time.sleep(.2)
        run.communicate(timeout=60)
        self.assertEqual(run.returncode, -signal.SIGINT)


class BadInput(Trainer):
    def test_not_a_number(self):
        for flag in ("--seed", "--total-timesteps", "--train-frequency", "--gradient-steps",
                     "--learning-starts", "--evaluation-frequency", "--target-network-frequency"):
            for value in ("-1", "nan", "inf", "1.5", "1e3", "x", "99999999999999999999999"):
                self.refused([flag, value], f"{flag} {value}", WHOLE, "18446744073709551615")
        for flag in ("--buffer-size", "--evaluation-episodes"):
            for value in ("nan", "inf", "1.5", "99999999999999999999999"):
                self.refused([flag, value], f"{flag} {value}", WHOLE)
        for flag in ("--learning-rate", "--learning-rate-end", "--gamma", "--tau", "--start-e",
                     "--end-e", "--exploration-fraction", "--max-grad-norm", "--reward-scale",
                     "--reward-clip", "--solved-at", "--stop-at"):
            for value in ("nan", "-nan", "inf", "-inf", "x", "1e999", "1 2"):
                self.refused([flag, value], f"{flag} {value}", "finite numbers")

    def test_out_of_range(self):
        """The library's ranges, under the flag's name."""
        for flag, value, allowed in (
                ("--total-timesteps", "0", ">= 1"),
                ("--train-frequency", "0", ">= 1"),
                ("--gradient-steps", "0", ">= 1"),
                ("--target-network-frequency", "0", ">= 1"),
                ("--evaluation-episodes", "0", ">= 1"),
                ("--evaluation-episodes", "-1", ">= 1"),
                ("--learning-rate", "0", "finite and > 0"),
                ("--learning-rate", "-1", "finite and > 0"),
                ("--learning-rate-end", "0", "finite and > 0"),
                ("--gamma", "1.5", "[0, 1]"),
                ("--gamma", "-1", "[0, 1]"),
                ("--tau", "0", "(0, 1]"),
                ("--tau", "2", "(0, 1]"),
                ("--start-e", "2", "[0, 1]"),
                ("--end-e", "-1", "[0, 1]"),
                ("--max-grad-norm", "-1", "> 0"),
                ("--reward-scale", "0", "> 0"),
                ("--reward-clip", "-1", "> 0"),
                ("--buffer-size", "1", "(the batch size), 4294967295]"),
                ("--buffer-size", "-1", "4294967295]"),
                ("--buffer-size", "4294967296", "4294967295]")):
            self.refused([flag, value], flag, f" = {value};", allowed)
        for fraction in ("0", "-1", "2"):
            self.refused(["--exploration-fraction", fraction],
                         f"--exploration-fraction {fraction};", "(0, 1]")

    def test_names(self):
        self.refused(["--loss", "l1"], "--loss l1", "squared", "mse", "huber")
        self.refused(["--double=maybe"], "--double", "maybe", "true, false")

    def test_arguments(self):
        self.refused(["--no-such-flag", "3"], "--no-such-flag", "--help")
        self.refused(["word"], "word", "--help")
        self.refused(["--seed"], "--seed")
        self.refused(["--stop-at", "10"], "--stop-at 10", "--solved-at", "475")

    def test_compiled_in(self):
        compiled = dict(line.split("=", 1) for line in self.config().splitlines())
        for flag, other in (("batch-size", "63"), ("num-envs", "3"), ("hidden", "5,6,7")):
            size, variable = compiled[flag].strip('"'), flag.upper().replace("-", "_")
            self.assertEqual(self.config("--" + flag, size), self.config())
            self.refused(["--" + flag, other], f"--{flag} {other}", f"compiled for {size}",
                         f"-DPOLYQ_TRAINER_{variable}={other}", "cmake --preset release")
            for bad in ("0", "-1", "x", ""):
                self.refused(["--" + flag, bad], f"--{flag} {bad}", "allowed")

    def test_intervals(self):
        self.refused(["--train-frequency", "10", "--target-network-frequency", "15"],
                     "--target-network-frequency 15", "--train-frequency, 10")
        self.refused(["--target-network-frequency", "18446744073709551615", "--gradient-steps",
                      "2"], "--target-network-frequency 18446744073709551615", "2^64")

    def test_config_files(self):
        self.refused(["--config", os.path.join(self.folder, "absent")], "--config", "absent")
        self.refused(["--config", self.folder], "--config", self.folder)
        self.refused(["--config"], "--config")
        self.refused(["--config", ""], "--config ''", "a file that can be read")
        for text, *mentioned in (
                ("[learning]\ngamma = 0.5\n", "line 1", "[learning]", "sections"),
                ("seed = 2\n  [learning]\n", "line 2", "[learning]", "sections"),
                ("learning.gamma = 0.5\n", "learning.gamma", "key = value"),
                ("gamma\n", "gamma", "key = value"),
                ("no-such-key = 3\n", "no-such-key = 3", "--print-config"),
                ("config = 'other'\n", "config = 'other'"),
                ("print-config = true\n", "print-config = true"),
                ("gamma =\n", "--gamma", "finite numbers"),
                ("gamma = 2\n", "--gamma", "[0, 1]"),
                ("gamma = .9 .8\n", "--gamma", "finite numbers"),
                ("gamma = .9\nseed = 1\ngamma = .8\n", "gamma = .8", "once"),
                ("train-freq = 1\nseed = 1\ntrain_frequency = 2\n", "train-frequency = 2", "once"),
                ("hidden = 64\nhidden = 64\n", "line 2", "hidden = 64", "once"),
                ("json = 2\n", "--json 2", "true, false"),
                ("double = maybe\n", "--double", "maybe", "true, false"),
                ("batch-size = 63\n", "--batch-size 63", "compiled for")):
            self.refused(["--config", self.file(text)], *mentioned)


class Configuration(Trainer):
    def test_defaults_are_the_librarys_for_cart_pole(self):
        found = self.config()
        for line in ('env="CartPole-v1"', "seed=1", "learning-rate=0.002", "learning-starts=1000",
                     "train-frequency=1", "gradient-steps=1", "target-network-frequency=1",
                     "tau=0.01", "gamma=0.99", 'loss="squared"', "double=false", "max-grad-norm=0",
                     "start-e=1", "end-e=0.05", 
                     "evaluation-episodes=100", "solved-at=475", "stop-at=490",
                     "no-early-stop=false", 'algo="dqn"'):
            self.assertIn(line, found.splitlines())

    def test_round_trip(self):
        for arguments in (
                [],
                ["--seed", "7", "--double", "--loss", "mse", "--learning-rate-end", "1e-4",
                 "--train-freq", "10", "--target-update-interval", "500", "--no-early-stop",
                 "--max-grad-norm", "10", "--reward-clip=1", "--exploration-fraction", ".1",
                 "--quiet", "--json"]):
            printed = self.config(*arguments)
            self.assertEqual(self.config("--config", self.file(printed)), printed)

    def test_file_equals_flags(self):
        flags = ["--seed", "3", "--train-frequency", "4", "--loss", "huber", "--double", *SHORT]
        path = self.file("# a comment\nseed = 3  # the third\ntrain_freq = 4\nloss = 'huber'\n"
                         "double = true\n\ntotal_timesteps = 2000\n")
        hashes = {last_object(train("--json", *arguments).stdout)["weights_fnv1a"]
                  for arguments in (flags, ["--config", path])}
        self.assertEqual(len(hashes), 1)

    def test_flags_win_over_the_file(self):
        self.assertIn("seed=4\n", self.config("--seed", "4", "--config", self.file("seed = 3\n")))

    def test_the_last_of_two_wins(self):
        self.assertEqual(self.config("--seed", "4", "--seed", "5"), self.config("--seed", "5"))

    def test_arrays(self):
        hidden = re.search('hidden="(.*)"', self.config()).group(1)
        path = self.file(f"hidden = [{hidden.replace(',', ', ')}]\n")
        self.assertIn(hidden, self.config("--config", path))

    def test_synonyms(self):
        for name, synonym, value in (
                ("target-network-frequency", "target-update-interval", "20"),
                ("train-frequency", "train-freq", "20"),
                ("start-e", "exploration-initial-eps", "0.5"),
                ("end-e", "exploration-final-eps", "0.1"),
                ("evaluation-frequency", "eval-freq", "2000"),
                ("evaluation-episodes", "n-eval-episodes", "20")):
            expected = self.config(f"--{name}", value)
            self.assertIn(f"{name}={value}\n", expected)
            for spelled in (name, synonym, name.replace("-", "_"), synonym.replace("-", "_")):
                self.assertEqual(self.config("--" + spelled, value), expected)
                self.assertEqual(self.config(f"--{spelled}={value}"), expected)
                path = self.file(f"{spelled} = {value}\n")
                self.assertEqual(self.config("--config", path), expected)

    def test_help_and_version(self):
        done = train("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for flag in ("--target-network-frequency", "--target-update-interval", "--num-envs",
                     "--print-config"):
            self.assertIn(flag, done.stdout)
        done = train("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^polyq \d+\.\d+\.\d+\n$")


class Learning(Trainer):
    def hash(self, *arguments):
        return last_object(train(*SHORT, "--json", *arguments).stdout)["weights_fnv1a"]

    def test_seeds(self):
        self.assertEqual(self.hash("--seed", "5"), self.hash("--seed", "5"))
        self.assertNotEqual(self.hash("--seed", "5"), self.hash("--seed", "6"))

    def test_every_choice_of_policies_is_another_agent(self):
        hashes = [self.hash(*double, "--loss", loss, "--max-grad-norm", norm)
                  for double in ([], ["--double"]) for loss in ("squared", "huber")
                  for norm in ("0", "0.1")]
        self.assertEqual(len(set(hashes)), 8)

    def test_every_number_matters(self):
        default = self.hash()
        for flag, value in (("--learning-rate", "1e-3"), ("--learning-rate-end", "1e-4"),
                            ("--gamma", "0.9"), ("--tau", "0.5"), ("--buffer-size", "500"),
                            ("--learning-starts", "500"), ("--train-frequency", "2"),
                            ("--gradient-steps", "2"), ("--target-network-frequency", "10"),
                            ("--start-e", "0.5"), ("--end-e", "0.5"), ("--reward-scale", "0.5"),
                            ("--exploration-fraction", "0.5"), ("--reward-clip", "0.5")):
            self.assertNotEqual(self.hash(flag, value), default, flag)

    def test_a_run_without_updates_says_so(self):
        done = train("--total-timesteps", "1001", "--evaluation-episodes", "1")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no update falls due: --total-timesteps 1001 ends before", done.stderr)
        done = train("--total-timesteps", "1002", "--evaluation-episodes", "1")
        self.assertNotIn("no update falls due", done.stderr)

    def test_intervals_are_converted(self):
        done = train(*SHORT, "--train-frequency", "10", "--gradient-steps", "4",
                     "--target-network-frequency", "500", "--tau", "1", "--json")
        self.assertIn("updates between two target copies: 200 ", done.stderr)
        self.assertEqual(last_object(done.stdout)["updates"], 99 * 4)


class Output(Trainer):
    def test_progress_stays_off_standard_output(self):
        done = train(*SHORT, *EASY)
        self.assertNotIn("it/s", done.stdout)
        self.assertNotIn("\r", done.stdout + done.stderr)  # no bar where there is no terminal

    def test_quiet(self):
        done = train(*SHORT, "--quiet")
        self.assertEqual(done.stderr, "")
        self.assertEqual(len(done.stdout.splitlines()), 2)

    def test_a_terminal_sees_a_bar(self):
        try:
            shown, terminal = pty.openpty()
        except OSError as reason:
            self.skipTest(f"no terminal can be had here: {reason}")
        done = subprocess.run([CPU, *SHORT], stdout=subprocess.PIPE, stderr=terminal, text=True,
                              timeout=600)
        os.close(terminal)
        seen = b""
        with contextlib.suppress(OSError):  # which is a terminal's end
            while part := os.read(shown, 100_000):
                seen += part
        os.close(shown)
        seen = seen.decode()
        self.assertIn("\r100%|##########| 2000/2000 ", seen)
        self.assertTrue(seen.endswith("\n"))
        self.assertEqual(len(done.stdout.splitlines()), 2)


if __name__ == "__main__":
    print("trainers checked:", CPU, FAULTY)
    under_mpi = sys.argv[3:] == ["mpi"]
    if not under_mpi:
        del OverMpi
    unittest.main(argv=sys.argv[:1] + ["OverMpi"] * under_mpi, verbosity=2)
