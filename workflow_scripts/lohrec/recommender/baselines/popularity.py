"""Popularity: the items with the most train interactions, the same for every user."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.recommender.inputs import Inputs
from lohrec.recommender.lists import Ranked
from lohrec.recommender.recommender import Histories, Recommender

SETTINGS: dict[str, Any] = {}


class Popularity(Recommender):
    """Equal counts come in the order of item numbers."""

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Popularity":
        """Nothing but the counts, which every catalogue has."""
        return cls()

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The most popular items, or the most popular that are new to a user."""
        count = self.catalogue.count
        item = most_popular(count, histories.items, top, exclude_history)
        return Ranked.of_items(item, count[item].astype(np.float32))

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The catalogue holds all there is."""
        return {}

    @classmethod
    def load_parts(
        cls, folder: Path, saved: Mapping[str, Any], device: torch.device
    ) -> "Popularity":
        """Nothing to read."""
        return cls()


def most_popular(
    counts: np.ndarray, histories: np.ndarray, top: int, exclude_history: bool
) -> np.ndarray:
    """The most popular items for each user; equal counts in the order of item codes.

    Args:
        counts: (items,), interactions of each item.
        histories: (users, longest), items padded with -1.
        top: items wanted a user.
        exclude_history: leave out the items of a user's history.

    Returns:
        int64 (users, min(top, items)), padded with -1 where the catalogue has no more.
    """
    order = np.argsort(-counts, kind="stable")
    top = min(top, len(order))
    if not exclude_history:
        return np.broadcast_to(order[:top], (len(histories), top))
    candidates = order[: top + histories.shape[1]]
    # place[item] among the candidates; all others, the padding too, share one place past the end
    place = np.full(len(counts) + 1, len(candidates))
    place[candidates] = np.arange(len(candidates))
    seen = np.zeros((len(histories), len(candidates) + 1), dtype=bool)
    np.put_along_axis(seen, place[histories], True, axis=1)
    seen = seen[:, :-1]
    unseen_first = np.argsort(seen, axis=1, kind="stable")[:, :top]
    left_out = np.take_along_axis(seen, unseen_first, axis=1)
    return np.where(left_out, -1, candidates[unseen_first])
