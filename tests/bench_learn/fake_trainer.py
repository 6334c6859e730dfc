#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers as a trainer does and learns nothing: its scores are drawn by seed. FAKE_CALLS is a
file that gets a line for each call; FAKE_<SEED> makes the run of a seed end another way."""
import argparse
import json
import os
import random
import signal
import sys
import time

RANGES = {"CartPole-v1": (0, 500, 475), "Acrobot-v1": (-500, 0, -100),
          "MountainCar-v0": (-200, 0, -110)}
SPEED = {"dqn": 1., "double": 1.3, "rainbow": 2.}


def curve_of(options):
    low, high, goal = RANGES[options.env]
    draw = random.Random(f"{options.env} {options.algo} {options.seed}")
    luck = draw.uniform(.6, 1.4) * SPEED[options.algo]
    curve = []
    for steps in range(1000, options.total_timesteps + 1, 1000):
        reached = 1 - 2.718 ** (-4 * luck * steps / options.total_timesteps)
        score = low + (high - low) * (reached + draw.gauss(0, .05))
        curve.append((steps, min(high, max(low, score))))
        if not options.no_early_stop and curve[-1][1] > goal + (high - goal) / 2:
            break
    return curve


def end(options):
    curve = curve_of(options)
    score, goal = max(score for _, score in curve), RANGES[options.env][2]
    if options.evaluation_log:
        with open(options.evaluation_log, "w") as stream:
            stream.write("env_steps,mean_return\n")
            stream.writelines(f"{steps},{score:g}\n" for steps, score in curve)
    how = os.environ.get(f"FAKE_{options.seed}")
    if how == "sleep":
        time.sleep(60)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "silent":
        return 0
    if how == "no log":
        os.unlink(options.evaluation_log)
    if how == "bad log":
        with open(options.evaluation_log, "w") as stream:
            stream.write("1000,20\n")
    if how == "poor":
        score = goal - 1
    if how == "nan":
        score = None
    result = {"env": options.env, "seed": options.seed, "ending": "goal", "env_steps": curve[-1][0],
              "solved": score is not None and score >= goal, "train_seconds": .5,
              "mean_return": score, "weights_fnv1a": f"{options.seed:016x}"}
    print("best agent: whatever\n" + json.dumps(result))
    if how == "diverged":
        print("error: diverged,\nat env step 7", file=sys.stderr)
        return 2
    return 0 if result["solved"] else 1


def main():
    if "FAKE_CALLS" in os.environ:
        with open(os.environ["FAKE_CALLS"], "a") as stream:
            stream.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\n")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--env", choices=RANGES)
    parser.add_argument("--algo", choices=SPEED)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-timesteps", type=int, default=20000)
    parser.add_argument("--learning-rate", default="0.002")
    parser.add_argument("--evaluation-log")
    for flag in ("--list", "--json", "--quiet", "--print-config", "--no-early-stop"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    if options.list:
        print(json.dumps([{"env": env, "algo": algo, "backend": "EigenCpu"}
                          for env in RANGES for algo in SPEED]))
        return 0
    if options.print_config:
        if "FAKE_UNBUILT" in os.environ:
            print("it does not compile", file=sys.stderr)
            return 4
        print(f'env="{options.env}"\nseed={options.seed}\n'
              f"total-timesteps={options.total_timesteps}\nlearning-rate={options.learning_rate}")
        return 0
    return end(options)


if __name__ == "__main__":
    sys.exit(main())
