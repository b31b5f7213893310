"""Recommenders whose score of an item is a sum of weights from the items of the history to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from scipy import sparse
from torch import Tensor

from lohrec.data.examples import Examples
from lohrec.recommender.item_scores import ItemScores, parts, without_own
from lohrec.recommender.recommender import Histories

FILE = "weights.safetensors"
POWERS = np.arange(0.5, 3.75, 0.25)
FLOORS = np.geomspace(1e-5, 1, 16)
DEV_USERS = 1000

Weights = np.ndarray | sparse.csr_array


class ItemWeights(ItemScores):
    """score_j = sum_k W_kj over the items k of a history.

    Probabilities are P(j) ~ (max(score_j, 0) + floor) ** power: a softmax would give most of them
    to the many items without any evidence. Power and floor make the dev targets most probable. So
    items are in the order of their scores, and those of equal score, and all without a positive
    one, in the order of popularity.

    Args:
        weights: float32 (items, items), what an item of a history (a row) gives to the others.
        popular: float32 (items,), so small that it only orders what is equal.
        power, floor: above 0.
    """

    def __init__(
        self, weights: Weights, popular: np.ndarray, power: float = 1.0, floor: float = 1e-3
    ) -> None:
        self.weights, self.popular = weights, popular
        self.power, self.floor = power, floor

    def scores(self, histories: Histories) -> np.ndarray:
        """float32 (users, items)."""
        user, place = np.nonzero(histories.items >= 0)
        shape = (len(histories.items), len(self.popular))
        ones = np.ones(len(user), np.float32)
        read = sparse.coo_array((ones, (user, histories.items[user, place])), shape).tocsr()
        read.data[:] = 1  # an item that comes twice counts once, as in training
        score = read @ self.weights
        dense: np.ndarray = score.toarray() if sparse.issparse(score) else score
        return dense

    def log_probabilities(self, histories: Histories) -> Tensor:
        """See the class."""
        return (self.power * self._log(self.scores(histories), self.floor)).log_softmax(-1)

    def fit_probabilities(self, dev: Examples, exclude_history: bool) -> None:
        """Take the power and the floor that make the targets of some dev users most probable.

        Args:
            exclude_history: whether lists leave out the items of a user's history. These have the
                highest scores, so what is left is told apart by a higher power.
        """
        rng = np.random.default_rng(0)
        some = rng.choice(len(dev), min(DEV_USERS, len(dev)), replace=False)
        histories = Histories(dev.histories(some).astype(np.int64), dev.length[some])
        total = np.zeros((len(FLOORS), len(POWERS)))
        for rows, part in parts(histories, len(self.popular), "probabilities"):
            scores, target = self.scores(part), torch.from_numpy(dev.target[some[rows]]).long()
            for f, floor in enumerate(FLOORS):
                log = self._log(scores, floor)
                if exclude_history:
                    log = without_own(log, part)
                true = log.gather(1, target[:, None])[:, 0]
                for p, power in enumerate(POWERS):
                    log_p = power * true - (power * log).logsumexp(1)
                    total[f, p] += log_p[log_p.isfinite()].sum().item()
        if total.any():  # else every target is left out
            best = np.unravel_index(total.argmax(), total.shape)
            self.floor, self.power = float(FLOORS[best[0]]), float(POWERS[best[1]])
        print(f"power {self.power:.3g}, floor {self.floor:.3g}")

    def _log(self, scores: np.ndarray, floor: float) -> Tensor:
        # In float32 most of what popularity adds would be rounded away.
        positive = np.maximum(scores, 0).astype(np.float64)
        return torch.from_numpy(np.log(positive + self.popular + floor))

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The weights: of a dense table in float16, of a sparse one what is not zero."""
        found = {"popular": self.popular}
        if isinstance(self.weights, np.ndarray):
            found["weights"] = self.weights.astype(np.float16)
        else:
            names = ("data", "indices", "indptr")
            found |= {name: getattr(self.weights, name) for name in names}
        save_file(found, folder / FILE)
        return {"power": self.power, "floor": self.floor}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> Self:
        """Read the weights."""
        found = load_file(folder / FILE)
        popular = found.pop("popular")
        if "weights" in found:
            return cls(found["weights"].astype(np.float32), popular, **saved)
        shape = (len(popular), len(popular))
        parts_of = (found["data"], found["indices"], found["indptr"])
        return cls(sparse.csr_array(parts_of, shape), popular, **saved)


def popularity(count: np.ndarray) -> np.ndarray:
    """Popularity (items,) as a number far below differences of weights that matter, float32."""
    scaled: np.ndarray = (1e-6 * count / (count.max() + 1)).astype(np.float32)
    return scaled
