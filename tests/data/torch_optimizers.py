"""Golden optimiser trajectories computed by PyTorch.

Writes torch_optimizers/*.txt: initial.txt (`initial 37 1`), gradients.txt
(`gradients 100 37`, row k is the gradient given at update k, whatever the
parameters are), and one file per case with the 37 parameters after 1, 2, 10
and 100 updates (`after_1 37 1`, ...). The cases are Adam, AdamW, RAdam, RMSprop
and SGD, with and without momentum (buffer = momentum * buffer + gradient), some
with PyTorch's weight_decay (except AdamW's: gradient + weight_decay *
parameter), some with the global gradient norm clipped by
torch.nn.utils.clip_grad_norm_ before each update (the factor is
min(1, max_norm / (norm + 1e-6))), and some with a learning rate that falls over
80 updates and then stays; update k, counted from zero, uses rate(k). What
PyTorch lacks, epsilon under RMSprop's root, is NumPy's, by equations (38) to
(41) of Graves 2013, arXiv:1308.0850, and once without centering. Magnitudes
of the gradients run from 1e-11 to about 100, with one column exactly zero until
update 50, so that epsilon, bias correction and clipping all matter. Inputs are
float32 values written with 9 significant digits; the optimisers run in float64
(foreach=False, the single-tensor form) and results are written with 17. Some
settings are float32's (`f32`): those by which roundings of the settings alone
would move the results. Made
with Python 3.11, PyTorch 2.15.0 (CPU), NumPy 2.4.6; regenerate with
`python torch_optimizers.py` from any directory.
"""

from pathlib import Path

import numpy as np
import torch

OUTPUT = Path(__file__).resolve().parent / "torch_optimizers"
STEPS, SIZE = 100, 37
RECORDED = (1, 2, 10, 100)


def linear_rate(k):
    return 2e-3 + (2e-4 - 2e-3) * min(k, 80) / 80


def exponential_rate(k):
    return 2e-3 * (2e-4 / 2e-3) ** (min(k, 80) / 80)


def f32(value):
    return float(np.float32(value))


# name: (optimiser, its options, max_norm or None, rate(k) or None)
CASES = {
    "adam": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8), None, None),
    "adam_betas": (torch.optim.Adam, dict(lr=1e-2, betas=(0.8, 0.95), eps=1e-4), None, None),
    "sgd": (torch.optim.SGD, dict(lr=1e-2), None, None),
    "sgd_momentum": (torch.optim.SGD, dict(lr=1e-2, momentum=0.9), None, None),
    "adam_clipped": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8), 10.0, None),
    "sgd_clipped": (torch.optim.SGD, dict(lr=1e-2), 0.5, None),
    "adam_linear_rate": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8), None, linear_rate),
    "adam_exponential_rate": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8), None, exponential_rate),
    "adam_w": (torch.optim.AdamW, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2), None, None),
    "adam_w_linear_rate": (torch.optim.AdamW, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1.0), None, linear_rate),
    "r_adam": (torch.optim.RAdam, dict(lr=2e-3, betas=(0.9, f32(0.999)), eps=1e-8), None, None),
    "r_adam_betas": (torch.optim.RAdam, dict(lr=1e-2, betas=(f32(0.8), f32(0.95)), eps=1e-4), None, None),
    "r_adam_linear_rate": (torch.optim.RAdam, dict(lr=2e-3, betas=(0.9, f32(0.999)), eps=1e-8), None, linear_rate),
    "rms_prop": (torch.optim.RMSprop, dict(lr=1e-3, alpha=f32(0.99), eps=1e-8), None, None),
    "rms_prop_centered": (torch.optim.RMSprop, dict(lr=1e-3, alpha=f32(0.95), eps=1e-4, centered=True), None, None),
    "rms_prop_momentum": (torch.optim.RMSprop, dict(lr=1e-3, alpha=f32(0.99), eps=1e-8, momentum=f32(0.9)), None, None),
    "rms_prop_centered_momentum": (torch.optim.RMSprop, dict(lr=1e-3, alpha=f32(0.95), eps=1e-4, momentum=f32(0.9), centered=True), None, None),
    "rms_prop_linear_rate": (torch.optim.RMSprop, dict(lr=2e-3, alpha=f32(0.99), eps=1e-8, momentum=f32(0.9)), None, linear_rate),
    "sgd_decayed": (torch.optim.SGD, dict(lr=1e-2, weight_decay=1e-2), None, None),
    "adam_decayed": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2), None, None),
    "r_adam_decayed": (torch.optim.RAdam, dict(lr=2e-3, betas=(0.9, f32(0.999)), eps=1e-8, weight_decay=1e-2), None, None),
    "rms_prop_decayed": (torch.optim.RMSprop, dict(lr=1e-3, alpha=f32(0.99), eps=1e-8, weight_decay=1e-2), None, None),
    "adam_clipped_decayed": (torch.optim.Adam, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2), 10.0, None),
}

# name: options of RMSprop with epsilon under its root
UNDER_ROOT_CASES = {
    "rms_prop_under_root": dict(lr=1e-3, alpha=f32(0.99), eps=1e-2, momentum=0.0, centered=False),
    # The settings of Mnih et al. 2015, extended data table 1.
    "rms_prop_nature": dict(lr=2.5e-4, alpha=f32(0.95), eps=1e-2, momentum=0.0, centered=True),
    # Graves's own.
    "rms_prop_graves": dict(lr=1e-4, alpha=f32(0.95), eps=1e-4, momentum=f32(0.9), centered=True),
}


def make_inputs():
    generator = np.random.Generator(np.random.PCG64(20261121))
    initial = generator.standard_normal(SIZE)
    scale = np.concatenate([np.full(4, 1e-6), np.full(4, 1e-3), np.full(20, 1.0), np.full(6, 30.0), np.ones(3)])
    drift = generator.standard_normal(SIZE)
    gradients = scale * (0.3 * drift + generator.standard_normal((STEPS, SIZE)))
    # Every scale in one column; zero until update 50; one large value, then tiny ones.
    gradients[:, 34] = generator.choice((-1, 1), STEPS) * 10.0 ** generator.uniform(-6, 1.5, STEPS)
    gradients[:50, 35] = 0.0
    gradients[0, 36] = 30.0
    gradients[1:, 36] *= 1e-6
    # Some updates are small as a whole, so that clipping applies to some only.
    gradients *= np.array([1.0, 0.02, 1.0, 1.0, 0.001])[np.arange(STEPS) % 5, None]
    return initial.astype(np.float32), gradients.astype(np.float32)


def write(name, comment, tensors, maker=f"PyTorch {torch.__version__.split('+')[0]}"):
    OUTPUT.mkdir(exist_ok=True)
    with open(OUTPUT / f"{name}.txt", "w", newline="\n") as file:
        file.write(f"# {comment}\n# made by torch_optimizers.py with {maker}\n")
        for label, values in tensors:
            digits = "{:.9g}" if values.dtype == np.float32 else "{:.17g}"
            values = values.reshape(values.shape[0], -1)
            file.write(f"{label} {values.shape[0]} {values.shape[1]}\n")
            for row in values.tolist():
                file.write(" ".join(digits.format(value) for value in row) + "\n")


def run(name, initial, gradients):
    optimizer_type, options, max_norm, rate = CASES[name]
    parameter = torch.nn.Parameter(torch.from_numpy(initial).double())
    optimizer = optimizer_type([parameter], foreach=False, **options)
    recorded, clipped = [], 0
    for k in range(STEPS):
        parameter.grad = torch.from_numpy(gradients[k]).double()
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm, foreach=False)
            clipped += int(norm > max_norm)
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate(k)
        optimizer.step()
        if k + 1 in RECORDED:
            recorded.append((f"after_{k + 1}", parameter.detach().numpy().copy()))
    described = [f"{key}={value}" for key, value in options.items()]
    if max_norm is not None:
        assert 5 <= clipped <= STEPS - 5
        described.append(f"max_norm={max_norm} ({clipped} of {STEPS} updates clipped)")
    if rate is not None:
        described.append(f"rate(k) from {rate(0):g} to {rate(STEPS):g} over 80 updates, {rate.__name__}")
    comment = f"{name}: {optimizer_type.__name__} " + ", ".join(described)
    write(name, comment, recorded)
    print(comment)


def run_under_root(name, initial, gradients):
    options = UNDER_ROOT_CASES[name]
    parameter = initial.astype(np.float64)
    square, mean, velocity = (np.zeros(SIZE) for _ in range(3))
    recorded = []
    for k in range(STEPS):
        gradient = gradients[k].astype(np.float64)
        square = options["alpha"] * square + (1 - options["alpha"]) * gradient**2
        if options["centered"]:
            mean = options["alpha"] * mean + (1 - options["alpha"]) * gradient
        velocity = options["momentum"] * velocity - options["lr"] * gradient / np.sqrt(square - mean**2 + options["eps"])
        parameter = parameter + velocity
        if k + 1 in RECORDED:
            recorded.append((f"after_{k + 1}", parameter.copy()))
    comment = f"{name}: RMSprop, epsilon under the root, " + ", ".join(f"{key}={value}" for key, value in options.items())
    write(name, comment, recorded, maker=f"NumPy {np.__version__}")
    print(comment)


if __name__ == "__main__":
    torch.set_num_threads(1)
    initial, gradients = make_inputs()
    write("initial", "parameters before the first update, float32", [("initial", initial)])
    write("gradients", "row k is the gradient at update k, float32", [("gradients", gradients)])
    for case in CASES:
        run(case, initial, gradients)
    for case in UNDER_ROOT_CASES:
        run_under_root(case, initial, gradients)
