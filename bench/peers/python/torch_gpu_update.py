# SPDX-License-Identifier: MIT
"""One DQN update in PyTorch on a GPU: eager, torch.compile, and a CUDA graph; a JSON line each.

Replay, sampler, squared loss and Adam are those of the C++ benchmark, all on the device, in float32
without TF32. `us` is from an idle device to an idle device over 200 updates, divided.
Needs: torch with CUDA
"""
import json
import time

import torch

CAPACITY, DISCOUNT, RATE, UPDATES, ROWS = 16_384, 0.99, 2.5e-4, 200, 15
SHAPES = (([4, 64, 64, 2], 64), ([4, 128, 128, 2], 64), ([4, 256, 256, 2], 64),
          ([4, 120, 84, 2], 128), ([4, 128, 128, 2], 256), ([4, 128, 128, 2], 1024),
          ([4, 128, 128, 2], 4096))


def make_network(sizes):
    layers = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).cuda()


def make_update(sizes, batch, mode):
    online, target = make_network(sizes), make_network(sizes)
    target.load_state_dict(online.state_dict())
    captured = mode != "eager"
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE, capturable=captured)
    s, s_next = torch.randn(2, CAPACITY, sizes[0], device="cuda")
    actions = torch.randint(0, sizes[-1], (CAPACITY, 1), device="cuda")
    rewards = torch.randn(CAPACITY, device="cuda")
    ends = (torch.rand(CAPACITY, device="cuda") < 0.05).float()

    def learn():
        rows = torch.randint(0, CAPACITY, (batch,), device="cuda")
        with torch.no_grad():
            goal = rewards[rows] + DISCOUNT * target(s_next[rows]).max(1)[0] * (1 - ends[rows])
        taken = online(s[rows]).gather(1, actions[rows]).squeeze(1)
        loss = torch.nn.functional.mse_loss(taken, goal)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()

    if mode == "compile":
        torch._dynamo.reset()  # else it generalises over the shapes before
        return torch.compile(learn, mode="reduce-overhead", dynamic=False)
    if mode == "eager":
        return learn
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            learn()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        learn()
    return graph.replay


def measure(update):
    for _ in range(20):
        update()
    times = []
    for _ in range(ROWS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(UPDATES):
            update()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - begin) / UPDATES * 1e6)
    return sorted(times)[ROWS // 2]


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = False
    for modes in (("eager", "graph"), ("compile",)):  # what compiles for long comes last
        for sizes, batch, mode in ((s, b, m) for s, b in SHAPES for m in modes):
            line = {"bench": "torch_gpu_update", "torch": torch.__version__,
                    "case": f"{'-'.join(map(str, sizes))} B={batch} {mode}"}
            try:
                line["us"] = round(measure(make_update(sizes, batch, mode)), 2)
            except Exception as error:  # torch.compile depends on what is installed
                line["failed"] = str(error)[:200]
            print(json.dumps(line), flush=True)
