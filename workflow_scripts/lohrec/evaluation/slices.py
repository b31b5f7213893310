"""Users in slices: by the length of their history, by how popular their target is."""

import itertools
from typing import Any

import numpy as np

from lohrec.evaluation import tables

# Where the second range of lengths begins, the third, the fourth. Fixed, and of whole histories,
# so that a slice means the same on every dataset, however many items models read of a history.
LENGTHS = (5, 10, 20)
THIRDS = ("head", "middle", "tail")

Slices = dict[str, np.ndarray]  # {heading: bool (users,)}, each user in one


def by_history(length: np.ndarray) -> Slices:
    """Users by the items in their history; ranges without a user are left out.

    Args:
        length: (users,), all items before the target.
    """
    bounds = [0, *LENGTHS]
    names = [f"to {LENGTHS[0] - 1}"]
    names += [f"{low} to {high - 1}" for low, high in itertools.pairwise(LENGTHS)]
    names += [f"from {LENGTHS[-1]}"]
    place = np.searchsorted(bounds, length, side="right") - 1
    return {name: place == i for i, name in enumerate(names) if (place == i).any()}


def by_popularity(target: np.ndarray, count: np.ndarray) -> Slices:
    """Users by their target's popularity, in thirds of the train interactions.

    An item is in the head if the items that are chosen more often than it have together less than
    a third of all train interactions, in the middle if they have less than two thirds, and
    otherwise in the tail. So equally popular items are in one slice. One without a train
    interaction is in the tail. Slices without a user are left out.

    Args:
        target: (users,), items.
        count: (items,), train interactions.
    """
    value, times = np.unique(count, return_counts=True)
    interactions = value * times
    more = interactions[::-1].cumsum()[::-1] - interactions  # of all more popular items
    third = np.minimum(3 * more // max(1, interactions.sum()), 2)
    third[value == 0] = 2
    place = third[np.searchsorted(value, count[target])]
    return {name: place == i for i, name in enumerate(THIRDS) if (place == i).any()}


def compare(
    figures: dict[str, dict[str, np.ndarray]], slices: dict[str, Slices], cutoff: int
) -> dict[str, Any]:
    """Recall and NDCG of every slice's users.

    Args:
        figures: {variant: {"recall@10": (seeds, users), ...}}.
        slices: {"history": its slices, ...}.
        cutoff: K of the two metrics.

    Returns:
        {"history": {"to 4": {"users": n, "variants": {variant: {"recall@10": {"mean", "std"},
        "ndcg@10": ...}}}}}, std over seeds.

    Raises:
        ValueError: figures contradict each other, see `tables.check`.
    """
    result: dict[str, Any] = {}
    for kind, masks in slices.items():
        result[kind] = {}
        for heading, mask in masks.items():
            variants = {
                name: {
                    metric: tables.mean_and_std(values[metric][:, mask])
                    for metric in (f"recall@{cutoff}", f"ndcg@{cutoff}")
                }
                for name, values in figures.items()
            }
            for name, entry in variants.items():
                means = {metric: float(figures[name][metric][:, mask].mean()) for metric in entry}
                tables.check(means, f"{name}, {kind} {heading}")
            result[kind][heading] = {"users": int(mask.sum()), "variants": variants}
    return result
