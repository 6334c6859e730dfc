"""Whole training runs computed by PyTorch and NumPy, draw by draw as polyq makes them.

Writes torch_training/*.txt: for runs of two lengths the parameters at the end, in PyTorch's order
(`parameters_400 386 1`, ...), and the number of episodes that ended (`episodes_400 1 1`, ...).
Nothing of polyq is called: Philox 4x32-10 from its paper, CartPole from Gymnasium's equations with
a time limit of 30 steps, an epsilon-greedy actor, a ring of rows, a target network, and PyTorch's
losses, autograd, clipping and Adam, all in float64; draws and epsilon are float32. Made with
Python 3.11, PyTorch 2.15.0 (CPU), NumPy 2.4.6; regenerate with `python torch_training.py` from any
directory.
"""

import math
from pathlib import Path

import numpy as np
import torch

OUTPUT = Path(__file__).resolve().parent / "torch_training"
SIZES, BATCH, CAPACITY, WARM_UP, DISCOUNT, TIME_LIMIT = (4, 16, 16, 2), 32, 300, 100, 0.99, 30
LENGTHS = (402, 1200)
INIT, EXPLORE, RESET, SAMPLE = 0, 1, 2, 4  # core::Stream

CASES = {
    # One environment, two updates each four steps, hard target copies, clipped gradients.
    "plain": dict(seed=3, lanes=1, period=4, updates=2, rate=(5e-3, 1e-3), target_period=25, tau=1.0,
                  double=False, loss=torch.nn.functional.huber_loss, max_norm=2.0, reward_scale=1.0),
    # Three environments, an update each six steps, a target that follows, small rewards.
    "double": dict(seed=4, lanes=3, period=6, updates=1, rate=(5e-3, 5e-3), target_period=1, tau=0.05,
                   double=True, loss=torch.nn.functional.mse_loss, max_norm=None, reward_scale=0.25),
}


def philox(seed, stream, step, lanes):
    """Words [lanes, 4] of Philox 4x32-10 with counter (step, lane, stream) and key seed."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    lane = np.arange(lanes, dtype=np.uint64)
    c = [np.full_like(lane, step & 0xFFFFFFFF), np.full_like(lane, step >> 32), lane, np.full_like(lane, stream)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(key[0]), p1 & mask, (p0 >> shift) ^ c[3] ^ np.uint64(key[1]), p0 & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=1)


def uniform(words):
    return (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def below(words, count):
    return ((words * np.uint64(count)) >> np.uint64(32)).astype(np.int64)


def make_network(seed):
    layers = []
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    draws = uniform(philox(seed, INIT, 0, sum(p.numel() for p in network.parameters()))[:, 0])
    with torch.no_grad():
        for layer in network[::2]:
            bound = np.float32(1) / np.sqrt(np.float32(layer.in_features))
            for parameter in (layer.weight, layer.bias):
                own, draws = draws[: parameter.numel()], draws[parameter.numel() :]
                parameter.copy_(torch.from_numpy((2 * own - 1) * bound).reshape(parameter.shape))
    return network


class CartPole:
    def __init__(self, words):
        self.state = [float(u) * 0.1 - 0.05 for u in uniform(words)]
        self.steps = 0

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        cosine, sine = math.cos(theta), math.sin(theta)
        push = ((10.0 if action == 1 else -10.0) + 0.05 * theta_dot**2 * sine) / 1.1
        theta_acceleration = (9.8 * sine - cosine * push) / (0.5 * (4.0 / 3.0 - 0.1 * cosine**2 / 1.1))
        x_acceleration = push - 0.05 * theta_acceleration * cosine / 1.1
        self.state = [x + 0.02 * x_dot, x_dot + 0.02 * x_acceleration,
                      theta + 0.02 * theta_dot, theta_dot + 0.02 * theta_acceleration]
        self.steps += 1
        return abs(self.state[0]) > 2.4 or abs(self.state[2]) > 12 * 2 * math.pi / 360, self.steps >= TIME_LIMIT

    def observation(self):
        return np.array(self.state, np.float32)


def exploration(env_steps):  # from 1 to 0.05 over 600 env steps
    fraction = np.float32(env_steps) / np.float32(600)
    return np.float32(0.05) if fraction >= 1 else np.float32(1) + np.float32(0.05 - 1) * fraction


def train(case, lengths):
    """Yields (length, parameters, episodes) at each of `lengths`."""
    seed, lanes = case["seed"], case["lanes"]
    online, target = make_network(seed), make_network(seed)
    optimizer = torch.optim.Adam(online.parameters(), lr=case["rate"][0], foreach=False)
    observations, following = np.zeros((CAPACITY, 4)), np.zeros((CAPACITY, 4))
    actions, terminations = np.zeros(CAPACITY, np.int64), np.zeros(CAPACITY)
    environments = [CartPole(words) for words in philox(seed, RESET, 0, lanes)]
    env_steps = updates = episodes = 0

    def update():
        nonlocal updates
        stored = min(env_steps, CAPACITY)
        words = philox(seed, SAMPLE, updates, BATCH // 4).reshape(-1)
        at = (env_steps - stored + below(words, stored)) % CAPACITY
        with torch.no_grad():
            values = target(torch.from_numpy(following[at]))
            chooser = online(torch.from_numpy(following[at])) if case["double"] else values
            value = values.gather(1, chooser.argmax(1, keepdim=True))[:, 0]
            goal = case["reward_scale"] + DISCOUNT * (1 - torch.from_numpy(terminations[at])) * value
        taken = online(torch.from_numpy(observations[at])).gather(1, torch.from_numpy(actions[at])[:, None])[:, 0]
        optimizer.zero_grad()
        case["loss"](taken, goal).backward()
        if case["max_norm"]:
            torch.nn.utils.clip_grad_norm_(online.parameters(), case["max_norm"])
        first, last = case["rate"]
        optimizer.param_groups[0]["lr"] = first + (last - first) * min(1, env_steps / 1000)
        optimizer.step()
        updates += 1
        if updates % case["target_period"] == 0:
            with torch.no_grad():
                for to, new in zip(target.parameters(), online.parameters()):
                    to += case["tau"] * (new - to)

    while env_steps < max(lengths):
        draws = philox(seed, EXPLORE, env_steps, lanes)
        starts = philox(seed, RESET, env_steps + lanes, lanes)
        for lane, environment in enumerate(environments):
            at = (env_steps + lane) % CAPACITY
            observations[at] = environment.observation()
            if uniform(draws[lane, :1])[0] < exploration(env_steps):
                actions[at] = below(draws[lane, 1:2], 2)[0]
            else:
                with torch.no_grad():
                    actions[at] = online(torch.from_numpy(observations[at])).argmax().item()
            terminated, truncated = environment.step(actions[at])
            following[at], terminations[at] = environment.observation(), terminated
            if terminated or truncated:
                environments[lane] = CartPole(starts[lane])
                episodes += 1
        env_steps += lanes
        due = max(0, env_steps - 1 - WARM_UP) // case["period"] * case["updates"]
        while updates < due:
            update()
        if env_steps in lengths:
            yield env_steps, torch.cat([p.detach().flatten() for p in online.parameters()]).numpy(), episodes


def main():
    OUTPUT.mkdir(exist_ok=True)
    for name, case in CASES.items():
        with open(OUTPUT / f"{name}.txt", "w", newline="\n") as file:
            file.write(f"# made by torch_training.py with PyTorch {torch.__version__.split('+')[0]}\n")
            for length, parameters, episodes in train(case, LENGTHS):
                file.write(f"parameters_{length} {parameters.size} 1\n")
                file.write("".join(f"{value:.10g}\n" for value in parameters))
                file.write(f"episodes_{length} 1 1\n{episodes}\n")


if __name__ == "__main__":
    main()
