"""Popularity: the items with the most train interactions, the same for every user."""

import numpy as np

from lohrec.data.examples import Examples

SETTINGS: dict[str, dict] = {}


def train_counts(train: Examples, items: int) -> np.ndarray:
    """How many users interacted with each item up to their last train target, int64 (items,).

    Dev and test targets are in no window of a train example and are therefore not counted.
    """
    size = len(train.sequences) + 1
    opened = np.bincount(train.start, minlength=size)
    closed = np.bincount(train.stop + 1, minlength=size)
    covered = np.cumsum(opened - closed)[:-1] > 0
    return np.bincount(train.sequences[covered], minlength=items)


def recommend(
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
