"""Agreement with a reference's lists: Coverage, Coordination (section 4.6, LLM alignment)."""

import numpy as np

from lohrec.ranked_lists import RankedLists


def agreement(
    lists: RankedLists, reference: RankedLists, length: int = 20
) -> dict[str, np.ndarray]:
    """Coverage |S and T| / K and Coordination LCS(S, T) / K of every user's first K items.

    LCS is the length of the longest common subsequence. Tied items count in the file's order.

    Args:
        lists: the lists S.
        reference: the lists T of the same users, as the teacher's.
        length: K.

    Returns:
        {"coverage": float64 (users,), "coordination": float64 (users,)}, each within [0, 1].

    Raises:
        ValueError: the two have different users.
    """
    if not np.array_equal(lists.user, reference.user):
        raise ValueError("The lists and the reference's lists are of different users.")
    ours, theirs = _first(lists, length), _first(reference, length)
    same = (ours[:, :, None] == theirs[:, None, :]) & (ours >= 0)[:, :, None]
    longest = np.zeros((ours.shape[1] + 1, theirs.shape[1] + 1, len(ours)), dtype=np.int16)
    for i in range(ours.shape[1]):
        for j in range(theirs.shape[1]):
            longest[i + 1, j + 1] = np.where(
                same[:, i, j], longest[i, j] + 1, np.maximum(longest[i, j + 1], longest[i + 1, j])
            )
    return {
        "coverage": same.any(axis=2).sum(axis=1) / length,
        "coordination": longest[-1, -1] / length,
    }


def _first(lists: RankedLists, length: int) -> np.ndarray:
    place = np.arange(len(lists.item)) - lists.offset[lists.row]
    return lists.padded(place < length)
