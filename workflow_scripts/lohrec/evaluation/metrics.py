"""Accuracy of ranked lists with one target a user: Recall@K, NDCG@K (section 4.3), MRR@K."""

import numpy as np

from lohrec.evaluation.ranked_lists import RankedLists

SETTINGS = {
    "cutoffs": {
        "type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1,
        "uniqueItems": True, "default": [5, 10],
        "description": "List lengths that are measured.",
    },
}  # fmt: skip


def accuracy(lists: RankedLists, target: np.ndarray, cutoffs: list[int]) -> dict[str, np.ndarray]:
    """Recall@K and NDCG@K of every user, at the level of items and of semantic IDs.

    With one target, Recall@K is 1 if its place is at most K, and NDCG@K is then 1 / log2(place +
    1). Items that share an identifier are tied: `recall@K` and `ndcg@K` are the expectations over
    all orders of the tied items. `sid_recall@K` and `sid_ndcg@K` take the identifier's rank for the
    place, as evaluations do that compare identifiers only.

    Args:
        lists: lists of the users.
        target: (users,), the target item of each user, in the order of `lists.user`.
        cutoffs: the values of K, in items (for `sid_`, in identifiers).

    Returns:
        {"recall@5": float64 (users,), ...}, each within [0, 1].
    """
    hit = np.flatnonzero(lists.item == target[lists.row])
    rank = lists.rank[hit]
    discount = 1 / np.log2(np.arange(1, max(cutoffs) + 1) + 1)
    figures = {}
    for k in cutoffs:
        figures[f"recall@{k}"] = _expected(lists, hit, np.ones(k))
        figures[f"ndcg@{k}"] = _expected(lists, hit, discount[:k])
    for k in cutoffs:
        of_ids = {"recall": rank <= k, "ndcg": np.where(rank <= k, 1 / np.log2(rank + 1), 0.0)}
        for name, values in of_ids.items():
            figures[f"sid_{name}@{k}"] = _per_user(lists, hit, values)
    return figures


def reciprocal_rank(lists: RankedLists, target: np.ndarray, top: int) -> dict[str, np.ndarray]:
    """MRR@top of every user: 1 / place of the target, 0 where it is not in the first `top` places.

    Of tied items it is the expectation over their orders. Arguments are those of `accuracy`.

    Returns:
        {"mrr@20": float64 (users,)}, within [0, 1].
    """
    hit = np.flatnonzero(lists.item == target[lists.row])
    return {f"mrr@{top}": _expected(lists, hit, 1 / np.arange(1, top + 1))}


def _expected(lists: RankedLists, hit: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Every user's expected worth of the target's place, over the orders of tied items.

    Args:
        lists: lists of the users.
        hit: (hits,), the rows that hold a target.
        worth: (K,), of the places 1 .. K; others are worth nothing.
    """
    first, ties, k = lists.first[hit], lists.ties[hit], len(worth)
    total = np.concatenate([[0.0], np.cumsum(worth)])  # of the places 1 .. p
    before = np.minimum(first - 1, k)
    within = np.clip(k - first + 1, 0, ties)  # places of the group up to K
    return _per_user(lists, hit, (total[before + within] - total[before]) / ties)


def _per_user(lists: RankedLists, hit: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of the rows in `hit` as (users,), 0 for the other users."""
    column = np.zeros(len(lists.user))
    column[lists.row[hit]] = values
    return column
