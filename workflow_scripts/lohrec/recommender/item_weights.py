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
from lohrec.recommender.item_scores import ItemScores, parts
from lohrec.recommender.recommender import Histories

FILE = "weights.safetensors"
TEMPERATURES = np.geomspace(0.003, 3, 31)
DEV_USERS = 2000

Weights = np.ndarray | sparse.csr_array


class ItemWeights(ItemScores):
    """score_j = sum_k W_kj over the items k of a history.

    Probabilities are a softmax of the scores at the temperature that makes the dev targets most
    probable; the order of items is the same at any. Items of equal score are in the order of
    popularity.

    Args:
        weights: float32 (items, items), what an item of a history (a row) gives to the others.
        popular: float32 (items,), so small that it only orders what is equal.
        temperature: above 0.
    """

    def __init__(self, weights: Weights, popular: np.ndarray, temperature: float = 1.0) -> None:
        self.weights, self.popular, self.temperature = weights, popular, temperature

    def scores(self, histories: Histories) -> np.ndarray:
        """float32 (users, items)."""
        user, place = np.nonzero(histories.items >= 0)
        shape = (len(histories.items), len(self.popular))
        ones = np.ones(len(user), np.float32)
        read = sparse.coo_array((ones, (user, histories.items[user, place])), shape).tocsr()
        read.data[:] = 1  # an item that comes twice counts once, as in training
        score = read @ self.weights
        dense: np.ndarray = score.toarray() if sparse.issparse(score) else score
        dense += self.popular
        return dense

    def log_probabilities(self, histories: Histories) -> Tensor:
        """The softmax of the scores."""
        return (torch.from_numpy(self.scores(histories)) / self.temperature).log_softmax(-1)

    def fit_temperature(self, dev: Examples) -> None:
        """Take the temperature that makes the targets of some dev users most probable."""
        rng = np.random.default_rng(0)
        some = rng.choice(len(dev), min(DEV_USERS, len(dev)), replace=False)
        histories = Histories(dev.histories(some).astype(np.int64), dev.length[some])
        total = np.zeros(len(TEMPERATURES))
        for rows, part in parts(histories, len(self.popular), "temperature"):
            score = torch.from_numpy(self.scores(part))
            true = score.gather(
                1, torch.from_numpy(dev.target[some[rows]].astype(np.int64))[:, None]
            )
            for number, temperature in enumerate(TEMPERATURES):
                log_p = true[:, 0] / temperature - (score / temperature).logsumexp(1)
                total[number] += log_p.sum().item()
        self.temperature = float(TEMPERATURES[total.argmax()])
        print(f"temperature {self.temperature:.3g}")

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The weights: of a dense table in float16, of a sparse one what is not zero."""
        found = {"popular": self.popular}
        if isinstance(self.weights, np.ndarray):
            found["weights"] = self.weights.astype(np.float16)
        else:
            names = ("data", "indices", "indptr")
            found |= {name: getattr(self.weights, name) for name in names}
        save_file(found, folder / FILE)
        return {"temperature": self.temperature}

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


def popular(count: np.ndarray) -> np.ndarray:
    """Popularity (items,) as a number far below any difference of weights."""
    scaled: np.ndarray = (1e-6 * count / (count.max() + 1)).astype(np.float32)
    return scaled
