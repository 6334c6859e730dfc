"""Golden Q-learning updates computed by PyTorch.

Writes torch_update/*.txt, one file per small multilayer perceptron: the
parameters of an online and a target network as torch.nn.Linear initialises
them, one batch of transitions, and, for every combination of rule
(q_learning, double_q_learning) and loss (squared, huber), the loss, the
temporal-difference error delta = Q(s, a) - y of every sample, and the gradient
of the loss with respect to every online parameter. The squared loss is
mean(delta^2), with no factor of one half; the Huber loss is
torch.nn.functional.huber_loss with delta = 1 and the mean over the batch; the
target y = reward + discount * next value is held constant. Inputs are float32
values written with 9 significant digits; results are computed from them in
float64 and written with 17. Layout: comment lines (#) at the top, then for each
tensor a line `name rows cols` followed by its numbers, row-major; weights are
[outputs, inputs] as in PyTorch. Made with Python 3.11, PyTorch 2.15.0 (CPU);
regenerate with `python torch_update.py` from any directory. Another PyTorch
version may draw other initial values, which replaces the whole data set by an
equally valid one.
"""

from pathlib import Path

import torch

OUTPUT = Path(__file__).resolve().parent / "torch_update"

NETWORKS = [
    # sizes, activation, batch, discount factor, seed
    ((4, 16, 12, 2), "relu", 8, 0.99, 12),
    ((4, 33, 17, 3), "tanh", 7, 0.95, 23),
    ((5, 31, 18, 4), "relu", 13, 0.9, 33),
]


def make_network(sizes, activation):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(torch.nn.Linear(sizes[i], sizes[i + 1]))
        if i + 2 < len(sizes):
            layers.append(torch.nn.ReLU() if activation == "relu" else torch.nn.Tanh())
    return torch.nn.Sequential(*layers)


def linear_layers(network):
    return [m for m in network if isinstance(m, torch.nn.Linear)]


def write_tensor(file, name, tensor):
    tensor = tensor.detach()
    if tensor.dim() == 0:
        tensor = tensor.reshape(1, 1)
    elif tensor.dim() == 1:
        tensor = tensor.reshape(-1, 1)
    rows, cols = tensor.shape
    digits = {torch.float32: "{:.9g}", torch.float64: "{:.17g}", torch.int64: "{:d}"}[tensor.dtype]
    file.write(f"{name} {rows} {cols}\n")
    for row in tensor.tolist():
        file.write(" ".join(digits.format(value) for value in row) + "\n")


def check_well_conditioned(network, states, what):
    """No sample may sit so near a ReLU kink or a tied arg max that rounding decides."""
    x = states
    for module in network:
        if isinstance(module, torch.nn.ReLU):
            assert x.abs().min() > 1e-5, f"{what}: activation too near zero"
        x = module(x)
    top = x.topk(2, dim=1).values
    assert (top[:, 0] - top[:, 1]).min() > 1e-3, f"{what}: action values too close"


def generate(sizes, activation, batch, gamma, seed):
    torch.manual_seed(seed)
    online = make_network(sizes, activation)
    target = make_network(sizes, activation)
    observations = 1.5 * torch.randn(batch, sizes[0])
    next_observations = 1.5 * torch.randn(batch, sizes[0])
    actions = torch.randint(sizes[-1], (batch,))
    rewards = 1.5 * torch.randn(batch)
    terminated = torch.arange(batch) % 4 == 2
    discounts = gamma * (1.0 - terminated.to(torch.float32))

    name = "mlp_" + "_".join(map(str, sizes)) + f"_{activation}"
    OUTPUT.mkdir(exist_ok=True)
    with open(OUTPUT / f"{name}.txt", "w", newline="\n") as file:
        file.write(f"# {name}, batch {batch}, discount factor {gamma}; made by torch_update.py\n")
        file.write(f"# with PyTorch {torch.__version__.split('+')[0]}; inputs float32, results float64\n")
        for label, network in (("online", online), ("target", target)):
            for i, layer in enumerate(linear_layers(network)):
                write_tensor(file, f"{label}.{i}.weight", layer.weight)
                write_tensor(file, f"{label}.{i}.bias", layer.bias)
        write_tensor(file, "observations", observations)
        write_tensor(file, "actions", actions)
        write_tensor(file, "rewards", rewards)
        write_tensor(file, "discounts", discounts)
        write_tensor(file, "next_observations", next_observations)

        # From here on everything is float64, starting from the float32 values.
        online, target = online.double(), target.double()
        s, s2 = observations.double(), next_observations.double()
        r, d = rewards.double(), discounts.double()
        check_well_conditioned(online, s, f"{name} online s")
        check_well_conditioned(online, s2, f"{name} online s'")
        check_well_conditioned(target, s2, f"{name} target s'")
        disagree = (online(s2).argmax(1) != target(s2).argmax(1)) & ~terminated
        assert disagree.sum() >= 2, f"{name}: the two rules hardly differ"

        for rule in ("q_learning", "double_q_learning"):
            with torch.no_grad():
                next_q = target(s2)
                if rule == "q_learning":
                    next_value = next_q.max(1).values
                else:
                    best = online(s2).argmax(1, keepdim=True)
                    next_value = next_q.gather(1, best).squeeze(1)
                y = r + d * next_value
            for loss_name in ("squared", "huber"):
                online.zero_grad()
                q = online(s).gather(1, actions[:, None]).squeeze(1)
                delta = q - y
                if loss_name == "squared":
                    loss = delta.square().mean()
                else:
                    loss = torch.nn.functional.huber_loss(q, y, reduction="mean", delta=1.0)
                loss.backward()
                large = int((delta.abs() > 1).sum())
                assert 3 <= large <= batch - 2, f"{name}: {large} errors above one"
                prefix = f"{rule}.{loss_name}"
                write_tensor(file, f"{prefix}.loss", loss)
                write_tensor(file, f"{prefix}.td", delta)
                for i, layer in enumerate(linear_layers(online)):
                    write_tensor(file, f"{prefix}.gradient.{i}.weight", layer.weight.grad)
                    write_tensor(file, f"{prefix}.gradient.{i}.bias", layer.bias.grad)
            print(f"{name} {rule}: {large} of {batch} errors above one, "
                  f"{int(disagree.sum())} greedy actions differ")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for network in NETWORKS:
        generate(*network)
