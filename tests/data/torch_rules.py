"""Golden updates of distributional rules and of Munchausen computed by PyTorch.

Writes torch_rules/*.txt, one file per family of rules. Each holds an online and
a target network, 4-16-12-(3 * atoms) with ReLU as torch.nn.Linear initialises
them but for a last layer four times as large, and one batch of transitions with
a weight and masks of legal actions at s and s'. Then, for every case
`rule.variant`, the loss of every sample (`td`; for Munchausen the error delta),
and the gradient of the mean over the batch of weight * loss with respect to
every online parameter. Variants: `plain`; `weighted`, by the weights; `masked`,
by the masks, which bind the choice at s' and Munchausen's policies; and the
other loss. Row a * atoms + z of the output is number z of action a. Inputs are
float32 values written with 9 significant digits; results are computed from them
in float64 and written with 17. Layout and versions as in torch_update.py, whose
functions this uses; regenerate with `python torch_rules.py`.
"""

from pathlib import Path

import torch
from torch_update import linear_layers, make_network, write_tensor

OUTPUT = Path(__file__).resolve().parent / "torch_rules"
ACTIONS, BATCH, GAMMA = 3, 8, 0.9
LOW, HIGH = -2.0, 3.0  # of Categorical, 11 atoms
TEMPERATURE, SCALING, LOWEST = 0.25, 0.9, -1.0  # of Munchausen


class Family:
    """A batch, and what the networks make of it, in float64."""

    def __init__(self, name, atoms, seed):
        torch.manual_seed(seed)
        self.name, self.atoms = name, atoms
        sizes = (4, 16, 12, ACTIONS * atoms)
        self.online, self.target = make_network(sizes, "relu"), make_network(sizes, "relu")
        with torch.no_grad():
            for network in (self.online, self.target):
                network[-1].weight *= 4
        draws = {
            "observations": 1.5 * torch.randn(BATCH, 4),
            "next_observations": 1.5 * torch.randn(BATCH, 4),
            "actions": torch.randint(ACTIONS, (BATCH,)),
            "rewards": 1.5 * torch.randn(BATCH),
            "discounts": GAMMA * (torch.arange(BATCH) % 4 != 2).to(torch.float32),
            "weights": 0.25 + torch.rand(BATCH),
        }
        legal, legal_next = (torch.rand(BATCH, ACTIONS) < 0.6 for _ in range(2))
        legal[torch.arange(BATCH), draws["actions"]] = True  # what was taken was legal
        legal_next[torch.arange(BATCH), torch.arange(BATCH) % ACTIONS] = True

        OUTPUT.mkdir(exist_ok=True)
        self.file = open(OUTPUT / f"{name}.txt", "w", newline="\n")
        self.file.write(f"# {name}: 4-16-12-{ACTIONS} * {atoms}, batch {BATCH}; made by "
                        "torch_rules.py\n")
        self.file.write(f"# with PyTorch {torch.__version__.split('+')[0]}; inputs float32, "
                        "results float64\n")
        for label in ("online", "target"):
            for i, layer in enumerate(linear_layers(getattr(self, label))):
                write_tensor(self.file, f"{label}.{i}.weight", layer.weight)
                write_tensor(self.file, f"{label}.{i}.bias", layer.bias)
        for label, tensor in draws.items():
            write_tensor(self.file, label, tensor)
        write_tensor(self.file, "legal", legal.long())
        write_tensor(self.file, "legal_next", legal_next.long())

        self.online, self.target = self.online.double(), self.target.double()
        self.s, self.s2 = draws["observations"].double(), draws["next_observations"].double()
        self.actions, self.weights = draws["actions"], draws["weights"].double()
        self.r, self.d = draws["rewards"].double(), draws["discounts"].double()
        self.legal, self.legal_next = legal, legal_next
        everything = torch.ones_like(legal)
        self.masks = {True: (legal, legal_next), False: (everything, everything)}
        for network, x in ((self.online, self.s), (self.online, self.s2),
                           (self.target, self.s), (self.target, self.s2)):
            for module in network:
                if isinstance(module, torch.nn.ReLU):
                    assert x.abs().min() > 1e-5, f"{name}: an activation too near zero"
                x = module(x)

    def numbers(self, network, x):
        return network(x).reshape(BATCH, ACTIONS, self.atoms)

    def best(self, means, legal):
        means = means.masked_fill(~legal, -torch.inf)
        top = means.topk(2, dim=1).values
        assert (top[:, 0] - top[:, 1]).min() > 1e-3, f"{self.name}: means too close"
        return means.argmax(1)

    def of_actions(self, numbers, actions):
        return numbers[torch.arange(BATCH), actions]

    def write(self, case, td, loss, weighted=False):
        """td [B] as the rule reports it, loss [B] of which the gradient is taken."""
        self.online.zero_grad()
        ((self.weights if weighted else 1) * loss).mean().backward(retain_graph=True)
        write_tensor(self.file, f"{case}.td", td)
        for i, layer in enumerate(linear_layers(self.online)):
            write_tensor(self.file, f"{case}.gradient.{i}.weight", layer.weight.grad)
            write_tensor(self.file, f"{case}.gradient.{i}.bias", layer.bias.grad)
        print(f"{self.name} {case}: td {td.min():.3g} to {td.max():.3g}")


def categorical(seed):
    family = Family("categorical", 11, seed)
    atoms = torch.linspace(LOW, HIGH, family.atoms, dtype=torch.float64)
    width = (HIGH - LOW) / (family.atoms - 1)

    def losses(doubled, masked):
        _, legal_next = family.masks[masked]
        with torch.no_grad():
            next_p = family.numbers(family.target, family.s2).softmax(2)
            chooser = family.online if doubled else family.target
            best = family.best(family.numbers(chooser, family.s2).softmax(2) @ atoms, legal_next)
            places = (family.r[:, None] + family.d[:, None] * atoms).clip(LOW, HIGH)
            nearness = (1 - (places[:, :, None] - atoms).abs() / width).clip(0, 1)
            target = (family.of_actions(next_p, best)[:, :, None] * nearness).sum(1)
        logits = family.of_actions(family.numbers(family.online, family.s), family.actions)
        return -(target * logits.log_softmax(1)).sum(1), best

    chosen = {}
    for rule, doubled in (("categorical", False), ("double_categorical", True)):
        for variant in ("plain", "weighted", "masked"):
            loss, chosen[rule, variant] = losses(doubled, variant == "masked")
            family.write(f"{rule}.{variant}", loss.detach(), loss, variant == "weighted")
    check_choices(chosen, "categorical")


def quantile(seed):
    family = Family("quantile", 9, seed)
    tau = (torch.arange(family.atoms, dtype=torch.float64) + 0.5) / family.atoms

    def losses(doubled, huber, masked):
        _, legal_next = family.masks[masked]
        with torch.no_grad():
            next_numbers = family.numbers(family.target, family.s2)
            chooser = family.online if doubled else family.target
            best = family.best(family.numbers(chooser, family.s2).mean(2), legal_next)
            target = family.r[:, None] + family.d[:, None] * family.of_actions(next_numbers, best)
        now = family.of_actions(family.numbers(family.online, family.s), family.actions)
        difference = target[:, None, :] - now[:, :, None]  # [B, quantile, target]
        assert difference.abs().min() > 1e-5, "quantile: a difference too near zero"
        weight = (tau[:, None] - (difference < 0).double()).abs()
        if huber:
            zero = torch.zeros_like(difference)
            each = torch.nn.functional.huber_loss(difference, zero, reduction="none", delta=1.0)
        else:
            each = difference.abs()
        return (weight * each).mean(2).sum(1), best

    chosen = {}
    for rule, doubled in (("quantile", False), ("double_quantile", True)):
        for variant in ("plain", "weighted", "masked", "absolute"):
            loss, chosen[rule, variant] = losses(doubled, variant != "absolute",
                                                 variant == "masked")
            family.write(f"{rule}.{variant}", loss.detach(), loss, variant == "weighted")
    check_choices(chosen, "quantile")


def munchausen(seed):
    family = Family("munchausen", 1, seed)

    def errors(masked):
        legal, legal_next = family.masks[masked]

        def policy(x, legal):
            q = family.target(x)
            logits = (q / TEMPERATURE).masked_fill(~legal, -torch.inf)
            return q, TEMPERATURE * logits.log_softmax(1), logits.softmax(1)

        with torch.no_grad():
            _, log_policy, _ = policy(family.s, legal)
            own = family.of_actions(log_policy, family.actions)
            clipped = int((own < LOWEST).sum())
            assert 1 <= clipped < BATCH - 2, f"munchausen: {clipped} clipped"
            next_q, next_log, next_p = policy(family.s2, legal_next)
            soft = (next_p * (next_q - next_log.masked_fill(~legal_next, 0))).sum(1)
            y = family.r + SCALING * own.clip(LOWEST, 0) + family.d * soft
        return family.of_actions(family.online(family.s), family.actions) - y

    for variant in ("plain", "weighted", "masked", "huber"):
        delta = errors(variant == "masked")
        if variant == "huber":
            loss = torch.nn.functional.huber_loss(delta, torch.zeros_like(delta),
                                                  reduction="none", delta=1.0)
        else:
            loss = delta.square()
        family.write(f"munchausen.{variant}", delta.detach(), loss, variant == "weighted")


def check_choices(chosen, rule):
    plain, masked = chosen[rule, "plain"], chosen[rule, "masked"]
    doubled = chosen[f"double_{rule}", "plain"]
    assert (plain != doubled).sum() >= 2, f"{rule}: the two rules hardly differ"
    assert (plain != masked).sum() >= 2, f"{rule}: the masks hardly bind"


if __name__ == "__main__":
    torch.set_num_threads(1)
    categorical(4)
    quantile(5)
    munchausen(5)
