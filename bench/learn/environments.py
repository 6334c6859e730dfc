# SPDX-License-Identifier: MIT
"""What scores of the environments mean: from which one it counts as solved, and their range."""
import typing


class Environment(typing.NamedTuple):
    threshold: float
    lowest: float
    highest: float

    def normalised(self, score):
        """0 for the lowest score, 1 for the highest."""
        return (score - self.lowest) / (self.highest - self.lowest)


ENVIRONMENTS = {
    "CartPole-v1": Environment(threshold=475, lowest=0, highest=500),
    "Acrobot-v1": Environment(threshold=-100, lowest=-500, highest=0),
    "MountainCar-v0": Environment(threshold=-110, lowest=-200, highest=0),
}
