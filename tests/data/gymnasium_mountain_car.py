"""Recorded trajectories of Gymnasium's MountainCar-v0.

Writes gymnasium_mountain_car.txt, laid out as gymnasium_recording.py says: 3 000
steps, the state being position and velocity. Episodes take turns between random
actions, which reach the 200-step limit, a push along the velocity, which climbs
the hill, the same disturbed by random actions, one that pushes to the left
whenever the car is left of the valley's floor and so meets the wall, and 4 steps
from anywhere on the track at any speed.
"""

import numpy as np
from gymnasium_recording import record

POLICIES = ["random", "along", "wall", "noisy", "along"] + ["thrown"] * 60


def choose(policy, state, generator):
    x, x_dot = state
    if policy in ("random", "thrown") or (policy == "noisy" and generator.random() < 0.3):
        return int(generator.integers(3))
    if policy == "wall" and x < -0.55:
        return 0
    return 2 if x_dot >= 0 else 0


def throw(generator):
    return np.array([generator.uniform(-1.2, 0.6), generator.uniform(-0.07, 0.07)])


def main():
    endings, states = record(__file__, "MountainCar-v0", "x x_dot", 3_000, POLICIES, choose,
                             observed=lambda state: state, ending=lambda state: "", throw=throw)
    assert endings["truncated"] >= 4 and endings["terminated"] >= 8
    x, x_dot = states.T
    for met in (x == -1.2, x == 0.6, x_dot == 0.07, x_dot == -0.07, (x >= 0.5) & (x_dot < 0)):
        assert np.count_nonzero(met) >= 2


if __name__ == "__main__":
    main()
