"""Outputs and gradients of small networks computed by PyTorch.

Writes torch_networks/*.txt: for one network each its parameters as polyq packs them (block after
block, each row by row: `parameters P 1`), a batch `x in B`, the gradient `dy out B` of a loss with
respect to the output, and PyTorch's output `y out B` and gradients of sum(dy * y): `gradient P 1`
with respect to the parameters, `dx in B` to the batch. Inputs are float32 values written with 9
significant digits; results are computed from them in float64 and written with 17. Noisy layers have
polyq's noise, made here in float64 from the definitions of Philox 4x32-10 and of Box and Muller; it
is written too, per layer with its number, f(e) of the inputs and of the outputs: `noise.1.in In 1`,
`noise.1.out Out 1`. Made with Python 3.11, PyTorch 2.15.0 (CPU), NumPy 2.4.6; regenerate with
`python torch_networks.py` from any directory.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

OUTPUT = Path(__file__).resolve().parent / "torch_networks"
NOISE = 5  # core::Stream
ROLES = {"online": 0, "target": 1, "selector": 2, "acting": 3}

relu, tanh = torch.relu, torch.tanh


def identity(x):
    return x


class Linear:
    def __init__(self, inputs, outputs, activation=identity):
        self.inputs, self.outputs, self.activation = inputs, outputs, activation
        self.shapes = [(outputs, inputs), (outputs,)]

    def start(self):
        bound = self.inputs**-0.5
        return [(2 * torch.rand(shape) - 1) * bound for shape in self.shapes]

    def forward(self, parameters, x, number, draws):
        return self.activation(functional.linear(x, *parameters))


class Noisy(Linear):
    def __init__(self, inputs, outputs, activation=identity):
        super().__init__(inputs, outputs, activation)
        self.shapes = 2 * self.shapes

    def start(self):  # sigma drawn, so that none equals another
        sigma = [0.5 * self.inputs**-0.5 * torch.rand(shape) for shape in self.shapes[:2]]
        return super().start()[:2] + sigma

    def forward(self, parameters, x, number, draws):
        weight, bias, weight_sigma, bias_sigma = parameters
        e_in, e_out = draws(number, self.inputs, self.outputs)
        return self.activation(functional.linear(x, weight + weight_sigma * torch.outer(e_out, e_in),
                                                 bias + bias_sigma * e_out))


class LayerNorm:
    def __init__(self, size, activation=identity):
        self.size, self.activation = size, activation
        self.shapes = [(size,), (size,)]

    def start(self):
        return [1 + 0.5 * torch.randn(self.size), 0.5 * torch.randn(self.size)]

    def forward(self, parameters, x, number, draws):
        return self.activation(functional.layer_norm(x, (self.size,), *parameters))


class Sequential:
    def __init__(self, *layers):
        self.layers = layers

    def leaves(self):
        return [leaf for layer in self.layers for leaf in leaves(layer)]

    def forward(self, parameters, x, number, draws):
        for layer in self.layers:
            count = len(leaves(layer))
            shapes = sum(len(leaf.shapes) for leaf in leaves(layer))
            x = layer.forward(parameters[:shapes], x, number, draws)
            parameters, number = parameters[shapes:], number + count
        return x


class Dueling(Sequential):
    """Two streams; `values` numbers a state, as many an action."""

    def __init__(self, values, value, advantage):
        super().__init__(value, advantage)
        self.values = values

    def forward(self, parameters, x, number, draws):
        value, advantage = self.layers
        split = sum(len(leaf.shapes) for leaf in leaves(value))
        v = value.forward(parameters[:split], x, number, draws)
        adv = advantage.forward(parameters[split:], x, number + len(leaves(value)), draws)
        adv = adv.reshape(len(x), -1, self.values)
        return (v[:, None, :] + adv - adv.mean(1, keepdim=True)).reshape(len(x), -1)


def leaves(layer):
    return layer.leaves() if isinstance(layer, Sequential) else [layer]


def streams(layer, inputs, hidden, values, actions):
    return Dueling(values, Sequential(layer(inputs, hidden, relu), layer(hidden, values)),
                   Sequential(layer(inputs, hidden, relu), layer(hidden, values * actions)))


NETWORKS = {
    # network, batch, seed, role and (updates, env steps) of its noise
    "dueling": (Sequential(Linear(5, 18, relu), streams(Linear, 18, 17, 1, 3)), 7, 1, None),
    "dueling_at_input": (streams(Linear, 4, 20, 1, 2), 9, 2, None),
    "dueling_atoms": (Sequential(Linear(4, 17, tanh), streams(Linear, 17, 18, 5, 3)), 5, 3, None),
    "dueling_activated": (Dueling(2, Linear(6, 2, tanh), Linear(6, 8, tanh)), 6, 4, None),
    "noisy": (Sequential(Linear(5, 17, relu), Noisy(17, 18, tanh), Noisy(18, 3)), 7, 5,
              ("online", 3, 400)),
    "noisy_acting": (Noisy(6, 33), 4, 6, ("acting", 3, 2**32 + 5)),
    "layer_norm": (Sequential(Linear(5, 17, relu), LayerNorm(17, tanh), Linear(17, 18),
                              LayerNorm(18, relu), Linear(18, 3)), 7, 7, None),
    "layer_norm_at_input": (LayerNorm(6), 5, 8, None),
    "rainbow": (Sequential(Linear(4, 18, relu), streams(Noisy, 18, 17, 5, 3)), 7, 9,
                ("online", 2**32 + 1, 7)),
}


def philox(seed, stream, step, lane):
    """Words [lanes, 4] of Philox 4x32-10 with counter (step, lane, stream) and key seed."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    lane = lane.astype(np.uint64)
    c = [np.full_like(lane, step & 0xFFFFFFFF), np.full_like(lane, step >> 32), lane, np.full_like(lane, stream)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(key[0]), p1 & mask, (p0 >> shift) ^ c[3] ^ np.uint64(key[1]), p0 & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=1)


def normal(first, second):
    """Two deviates from words: the radius from the first, the turn from the second."""
    u = ((first >> np.uint64(8)).astype(np.float64) + 1) * 2.0**-24
    radius, turn = np.sqrt(-2 * np.log(u)), 2 * np.pi * second.astype(np.float64) * 2.0**-32
    return radius * np.cos(turn), radius * np.sin(turn)


def deviates(seed, step, lane, count):
    words = philox(seed, NOISE, step, lane + np.arange((count + 3) // 4))
    values = np.stack([*normal(words[:, 0], words[:, 1]), *normal(words[:, 2], words[:, 3])], axis=1)
    values = values.reshape(-1)[:count]
    return torch.from_numpy(np.sign(values) * np.sqrt(np.abs(values)))


def write_tensor(file, name, tensor, digits):
    tensor = tensor.detach()
    tensor = tensor.reshape(-1, 1) if tensor.dim() == 1 else tensor
    file.write(f"{name} {tensor.shape[0]} {tensor.shape[1]}\n")
    for row in tensor.tolist():
        file.write(" ".join(f"{value:.{digits}g}" for value in row) + "\n")


def generate(name, network, batch, seed, noise):
    torch.manual_seed(seed)
    drawn = {}

    def draws(number, inputs, outputs):
        role, updates, env_steps = noise
        step = env_steps if role == "acting" else updates
        lane = ROLES[role] << 30 | number << 20
        drawn[number] = (deviates(seed, step, lane, inputs), deviates(seed, step, lane | 1 << 19, outputs))
        return drawn[number]

    parameters = [tensor for leaf in leaves(network) for tensor in leaf.start()]
    x = torch.randn(batch, leaves(network)[0].shapes[0][-1])
    exact = [parameter.double().requires_grad_() for parameter in parameters]
    exact_x = x.double().requires_grad_()
    y = network.forward(exact, exact_x, 0, draws)
    dy = torch.randn(y.shape)
    (dy.double() * y).sum().backward()

    OUTPUT.mkdir(exist_ok=True)
    with open(OUTPUT / f"{name}.txt", "w", newline="\n") as file:
        file.write(f"# {name}, seed {seed}; made by torch_networks.py with PyTorch "
                   f"{torch.__version__.split('+')[0]}\n")
        write_tensor(file, "parameters", torch.cat([p.flatten() for p in parameters]), 9)
        write_tensor(file, "x", x.T, 9)
        write_tensor(file, "dy", dy.T, 9)
        for number, (e_in, e_out) in drawn.items():
            write_tensor(file, f"noise.{number}.in", e_in, 17)
            write_tensor(file, f"noise.{number}.out", e_out, 17)
        write_tensor(file, "y", y.T, 17)
        write_tensor(file, "gradient", torch.cat([p.grad.flatten() for p in exact]), 17)
        write_tensor(file, "dx", exact_x.grad.T, 17)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, case in NETWORKS.items():
        generate(name, *case)
