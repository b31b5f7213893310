"""Last item: what came next after it in training, a Markov chain of order one.

With n_ij times that a user went from item i to j, n_i in all, and the share q_j of train
interactions,

    P(j | i) = (n_ij + smoothing q_j) / (n_i + smoothing)

so that what never came next is in the order of popularity.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor

from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_scores import ItemScores
from lohrec.recommender.recommender import Histories

SETTINGS: dict[str, dict[str, Any]] = {
    "smoothing": {
        "type": "number", "exclusiveMinimum": 0, "default": 1.0,
        "description": "Weight of popularity, in transitions.",
    },
}  # fmt: skip
FILE = "transitions.safetensors"
TRAITS = ["teaches"]


class LastItem(ItemScores):
    """Transitions as a table by rows.

    Args:
        first: int64 (items + 1,), where each item's transitions begin.
        after: int64 (transitions,), items that came next.
        times: float32 (transitions,).
        share: float32 (items,), shares of train interactions; above 0, of which 1 is the sum.
        smoothing: weight of the shares.
    """

    def __init__(
        self,
        first: np.ndarray,
        after: np.ndarray,
        times: np.ndarray,
        share: np.ndarray,
        smoothing: float,
    ) -> None:
        self.first, self.after, self.times, self.share = first, after, times, share
        self.smoothing = smoothing

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> Self:
        """Count."""
        train, size = inputs.train, len(inputs.catalogue)
        last = np.asarray(train.sequences[train.stop - 1], dtype=np.int64)
        pair, times = np.unique(last * size + train.target, return_counts=True)
        first = np.searchsorted(pair, np.arange(size + 1) * size)
        seen = inputs.catalogue.count + 1  # an item that is new in dev or test may come too
        share = (seen / seen.sum()).astype(np.float32)
        return cls(first, pair % size, times.astype(np.float32), share, settings["smoothing"])

    def log_probabilities(self, histories: Histories) -> Tensor:
        """By the last item of each history."""
        users = np.arange(len(histories.length))
        last = histories.items[users, histories.length - 1]
        count = self.first[last + 1] - self.first[last]
        user = np.repeat(users, count)
        place = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
        place += self.first[last][user]
        weight = np.tile(self.smoothing * self.share, (len(users), 1))
        weight[user, self.after[place]] += self.times[place]
        return torch.from_numpy(np.log(weight / weight.sum(1, keepdims=True)))

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The table."""
        names = ("first", "after", "times", "share")
        save_file({name: getattr(self, name) for name in names}, folder / FILE)
        return {"smoothing": self.smoothing}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> Self:
        """Read the table."""
        return cls(**load_file(folder / FILE), smoothing=saved["smoothing"])
