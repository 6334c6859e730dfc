"""What the gymnasium_*.py have in common: whole episodes of an environment, written step by step.

After comment lines (#) at the top, each line is one step: episode index, step
index within the episode (from 0), the float64 numbers of env.unwrapped.state
before the step (17 significant digits, exact), action, reward, the numbers after
it, terminated (0/1), truncated (0/1). Episodes are back to back. Made with
Python 3.11, Gymnasium 1.4.0, NumPy 2.4.6; regenerate with
`python gymnasium_<environment>.py` from any directory.
"""

from pathlib import Path

import gymnasium
import numpy as np


def numbers(state):
    return " ".join(f"{float(value):.17g}" for value in state)


def record(script, name, state_names, steps, policies, choose, observed, ending, throw=None):
    """Writes <script>.txt: `steps` steps of the environment `name`, one policy per episode, in turn.

    choose(policy, state, generator) is the action, observed(state) what the environment must have
    returned, ending(state) says how the episode was terminated. Where the policy is "thrown" an
    episode starts at throw(generator) and is cut after 4 steps. Returns the number of episodes by
    their ending, and the states after each step.
    """
    generator = np.random.Generator(np.random.PCG64(7))
    env = gymnasium.make(name)
    lines, states, endings, lengths = [], [], {}, []
    episode = 0
    while len(lines) < steps:
        policy = policies[episode % len(policies)]
        env.reset(seed=1000 + episode)
        if policy == "thrown":
            env.unwrapped.state = throw(generator)
        ended, step = False, 0
        while not ended and len(lines) < steps and (policy != "thrown" or step < 4):
            before = np.array(env.unwrapped.state, dtype=np.float64)
            action = choose(policy, before, generator)
            observation, reward, terminated, truncated, _ = env.step(action)
            after = np.array(env.unwrapped.state, dtype=np.float64)
            assert np.array_equal(observation, np.array(observed(after), dtype=np.float32))
            lines.append(f"{episode} {step} {numbers(before)} {action} {reward:g} {numbers(after)} "
                         f"{int(terminated)} {int(truncated)}\n")
            states.append(after)
            step += 1
            ended = terminated or truncated
        if not ended:
            why = "cut"
        elif truncated:
            why = "truncated and terminated" if terminated else "truncated"
        else:
            why = "terminated" + ending(after)
        endings[why] = endings.get(why, 0) + 1
        lengths.append(step)
        episode += 1
    summary = ", ".join(f"{endings[why]} {why}" for why in sorted(endings))
    script = Path(script).resolve()
    with open(script.with_suffix(".txt"), "w", newline="\n") as file:
        file.write(f"# {name}, {steps} steps, {episode} episodes: {summary}\n")
        file.write(f"# made by {script.name} with Gymnasium {gymnasium.__version__}, NumPy {np.__version__}\n")
        file.write(f"# episode step  {state_names}  action reward  {state_names}  terminated truncated\n")
        file.writelines(lines)
    print(summary, "| lengths", sorted(lengths))
    return endings, np.array(states)
