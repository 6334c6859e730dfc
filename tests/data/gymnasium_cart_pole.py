"""Recorded trajectories of Gymnasium's CartPole-v1.

Writes gymnasium_cart_pole.txt, laid out as gymnasium_recording.py says: 10 000
steps, the state being position, velocity, angle and angular velocity; the last
episode may be cut. Episodes take turns between random actions, one constant
action, a balancing controller that reaches the 500-step limit, controllers that
lean to one side and run off the track, and a controller disturbed by random
actions. The recorded state is float64, where the observation the environment
returns is that state rounded to float32.
"""

from gymnasium_recording import record

POLICIES = ["random"] * 5 + ["balance", "random", "left", "noisy", "random", "lean_left", "random", "right",
                             "noisy", "random", "lean_right"] + ["random"] * 5


def choose(policy, state, generator):
    x, x_dot, theta, theta_dot = state
    if policy == "random" or (policy == "noisy" and generator.random() < 0.6):
        return int(generator.integers(2))
    if policy == "left":
        return 0
    if policy == "right":
        return 1
    lean = {"lean_left": 0.06, "lean_right": -0.06}.get(policy, 0.05 * x + 0.1 * x_dot)
    return int(theta + 0.5 * theta_dot + lean > 0)


def ending(state):
    x, theta = state[0], state[2]
    by = " by position" if abs(x) > 2.4 else " by angle"
    return by + (" left" if (x if abs(x) > 2.4 else theta) < 0 else " right")


def main():
    endings, _ = record(__file__, "CartPole-v1", "x x_dot theta theta_dot", 10_000, POLICIES, choose,
                        observed=lambda state: state, ending=ending)
    assert endings.get("truncated", 0) >= 5
    assert sum(n for why, n in endings.items() if why.startswith("terminated")) >= 50


if __name__ == "__main__":
    main()
