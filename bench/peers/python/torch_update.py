# SPDX-License-Identifier: MIT
"""One DQN update in PyTorch, eager and compiled, on one thread; CPU microseconds.

The shapes, the sampler, the squared loss and Adam are those of the C++ peers.
Needs: pip install torch (and a C++ compiler for torch.compile)
Run:   taskset -c 0 python torch_update.py
"""
import time

import torch

CAPACITY = 10_000
DISCOUNT = 0.99
RATE = 2.5e-4
UPDATES = 200
EAGER_SHAPES = (
    ([4, 128, 128, 2], 64),
    ([4, 64, 64, 2], 64),
    ([4, 120, 84, 2], 128),
    ([4, 256, 256, 2], 64),
)
COMPILED_SHAPES = (([4, 128, 128, 2], 64), ([4, 120, 84, 2], 128))


def make_network(sizes):
    layers = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def measure(sizes, batch, mode):
    online = make_network(sizes)
    target = make_network(sizes)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE)
    observations = torch.randn(CAPACITY, sizes[0])
    next_observations = torch.randn(CAPACITY, sizes[0])
    actions = torch.randint(0, sizes[-1], (CAPACITY, 1))
    rewards = torch.randn(CAPACITY)
    terminals = (torch.rand(CAPACITY) < 0.05).float()

    def learn(observation, action, reward, next_observation, terminal):
        with torch.no_grad():
            next_value = target(next_observation).max(1)[0]
            goal = reward + DISCOUNT * next_value * (1 - terminal)
        taken = online(observation).gather(1, action).squeeze()
        loss = torch.nn.functional.mse_loss(taken, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if mode == "compile":
        learn = torch.compile(learn)

    def update():
        rows = torch.randint(0, CAPACITY, (batch,))
        learn(observations[rows], actions[rows], rewards[rows], next_observations[rows],
              terminals[rows])

    for _ in range(50):
        update()
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        for _ in range(UPDATES):
            update()
        best = min(best, (time.process_time() - start) / UPDATES * 1e6)
    print(f"torch {mode} {sizes} B={batch}: {best:.1f} us an update", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for layer_sizes, batch_size in EAGER_SHAPES:
        measure(layer_sizes, batch_size, "eager")
    for layer_sizes, batch_size in COMPILED_SHAPES:
        try:
            measure(layer_sizes, batch_size, "compile")
        except Exception as error:  # torch.compile depends on the machine's compiler and headers
            print(f"torch compile {layer_sizes} B={batch_size}: failed: {str(error)[:300]}")
