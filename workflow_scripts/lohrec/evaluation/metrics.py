"""Accuracy of ranked lists with one target a user: Recall@K, NDCG@K (section 4.3)."""

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
    user, first, ties, rank = lists.row[hit], lists.first[hit], lists.ties[hit], lists.rank[hit]
    # gain[p]: sum of 1 / log2(place + 1) over the places 1 .. p
    gain = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(1, max(cutoffs) + 1) + 1))])

    def per_user(values: np.ndarray) -> np.ndarray:
        column = np.zeros(len(lists.user))
        column[user] = values
        return column

    figures = {}
    for k in cutoffs:
        within = np.clip(k - first + 1, 0, ties)  # places of the group up to K
        before = np.minimum(first - 1, k)
        figures[f"recall@{k}"] = per_user(within / ties)
        figures[f"ndcg@{k}"] = per_user((gain[before + within] - gain[before]) / ties)
    for k in cutoffs:
        figures[f"sid_recall@{k}"] = per_user(rank <= k)
        figures[f"sid_ndcg@{k}"] = per_user(np.where(rank <= k, 1 / np.log2(rank + 1), 0.0))
    return figures
