"""Recorded trajectories of Gymnasium's CartPole-v1.

Writes gymnasium_cart_pole.txt: 10 000 consecutive steps, whole episodes back to
back (the last one may be cut). After comment lines (#) at the top, each line is
one step: episode index, step index within the episode (from 0), the four
float64 numbers of env.unwrapped.state before the step (position, velocity,
angle, angular velocity; 17 significant digits, exact), action, reward, the four
numbers after it, terminated (0/1), truncated (0/1). Episodes take turns between
random actions, one constant action, a balancing controller that reaches the
500-step limit, controllers that lean to one side and run off the track, and a
controller disturbed by random actions. The recorded state is float64, where the
observation the environment returns is that state rounded to float32. Made with
Python 3.11, Gymnasium 1.4.0, NumPy 2.4.6; regenerate with
`python gymnasium_cart_pole.py` from any directory.
"""

from pathlib import Path

import gymnasium
import numpy as np

OUTPUT = Path(__file__).resolve().parent / "gymnasium_cart_pole.txt"
STEPS = 10_000

# One policy per episode, in turn.
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


def numbers(state):
    return " ".join(f"{float(value):.17g}" for value in state)


def main():
    generator = np.random.Generator(np.random.PCG64(7))
    env = gymnasium.make("CartPole-v1")
    lines, endings, lengths = [], {}, []
    episode = 0
    while len(lines) < STEPS:
        policy = POLICIES[episode % len(POLICIES)]
        env.reset(seed=1000 + episode)
        ended, step = False, 0
        while not ended and len(lines) < STEPS:
            before = np.array(env.unwrapped.state, dtype=np.float64)
            action = choose(policy, before, generator)
            observation, reward, terminated, truncated, _ = env.step(action)
            after = np.array(env.unwrapped.state, dtype=np.float64)
            assert np.array_equal(observation, after.astype(np.float32))
            lines.append(f"{episode} {step} {numbers(before)} {action} {reward:g} {numbers(after)} "
                         f"{int(terminated)} {int(truncated)}\n")
            step += 1
            ended = terminated or truncated
        if not ended:
            why = "cut"
        elif truncated:
            why = "truncated and terminated" if terminated else "truncated"
        else:
            x, theta = after[0], after[2]
            why = "terminated by " + ("position" if abs(x) > 2.4 else "angle")
            why += " left" if (x if abs(x) > 2.4 else theta) < 0 else " right"
        endings[why] = endings.get(why, 0) + 1
        lengths.append(step)
        episode += 1
    assert endings.get("truncated", 0) >= 5
    assert sum(n for why, n in endings.items() if why.startswith("terminated")) >= 50
    summary = ", ".join(f"{endings[why]} {why}" for why in sorted(endings))
    with open(OUTPUT, "w", newline="\n") as file:
        file.write(f"# CartPole-v1, {STEPS} steps, {episode} episodes: {summary}\n")
        file.write(f"# made by gymnasium_cart_pole.py with Gymnasium {gymnasium.__version__}, NumPy {np.__version__}\n")
        file.write("# episode step  x x_dot theta theta_dot  action reward  x x_dot theta theta_dot  "
                   "terminated truncated\n")
        file.writelines(lines)
    print(summary, "| lengths", sorted(lengths))


if __name__ == "__main__":
    main()
