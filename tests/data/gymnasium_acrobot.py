"""Recorded trajectories of Gymnasium's Acrobot-v1.

Writes gymnasium_acrobot.txt, laid out as gymnasium_recording.py says: 3 000
steps, the state being both angles and their velocities. Episodes take turns
between random actions, which reach the 500-step limit, a torque along the second
joint's velocity, which swings the tip up, the same disturbed by random actions,
and 4 steps from any angles at any velocities within their bounds.
"""

import numpy as np
from gymnasium_recording import record

POLICIES = ["random", "along", "noisy", "along"] + ["thrown"] * 40


def choose(policy, state, generator):
    if policy in ("random", "thrown") or (policy == "noisy" and generator.random() < 0.3):
        return int(generator.integers(3))
    return 2 if state[3] >= 0 else 0


def observed(state):
    theta1, theta2, theta1_dot, theta2_dot = state
    return np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), theta1_dot, theta2_dot


def throw(generator):
    most = np.pi * np.array([1, 1, 4, 9])
    return generator.uniform(-most, most)


def main():
    endings, states = record(__file__, "Acrobot-v1", "theta1 theta2 theta1_dot theta2_dot", 3_000, POLICIES, choose,
                             observed, ending=lambda state: "", throw=throw)
    assert endings["truncated"] >= 3 and endings["terminated"] >= 8
    for most, velocity in ((4 * np.pi, states[:, 2]), (9 * np.pi, states[:, 3])):
        assert np.count_nonzero(np.abs(velocity) == most) >= 10


if __name__ == "__main__":
    main()
