"""An exponential moving average of a model's weights (Polyak and Juditsky, 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

SETTINGS = {
    "averaging": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.0,
        "description": (
            "Decay a step of an exponential moving average of the weights; 0 takes the last "
            "weights."
        ),
    },
}  # fmt: skip


class Averages:
    """Averages of what a model learns.

    Args:
        model: on its device.
        decay: share of the old average that a step keeps; 0.0 keeps no averages at all.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.learned = [p for p in model.parameters() if p.requires_grad] if decay else []
        self.values = [p.detach().clone() for p in self.learned]

    def update(self, step: int) -> None:
        """Take in the weights after `step` steps."""
        if self.values:
            # The memory is short at first, so that the first weights are soon forgotten.
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.values, [p.detach() for p in self.learned], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages are the model's weights, until the block ends."""
        latest = [p.detach().clone() for p in self.learned]
        self._write(self.values)
        try:
            yield
        finally:
            self._write(latest)

    def restore(self, values: list[Tensor]) -> None:
        """Go back to earlier `values`."""
        for value, earlier in zip(self.values, values, strict=True):
            value.copy_(earlier)

    @torch.no_grad()
    def _write(self, values: list[Tensor]) -> None:
        for p, value in zip(self.learned, values, strict=True):
            p.copy_(value)
