"""How close a student's lists are to its teacher's: Coverage and Coordination (4.6)."""

import numpy as np


def coverage(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Share of the teacher's top K that is in the student's, after ROUGE-1.

    Args:
        student, teacher: int (users, K) items, none twice in a list; -1 where a list ends.

    Returns:
        float64 (users,), |S and T| / K.
    """
    shared: np.ndarray = _same(student, teacher).any(2).mean(1)
    return shared


def coordination(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Longest common subsequence of the two lists as a share of K, after ROUGE-L.

    Args and result are those of `coverage`.
    """
    same = _same(student, teacher)
    users, length, _ = same.shape
    # longest[:, j] is that of the student's items so far and the teacher's first j.
    longest = np.zeros((users, length + 1), dtype=np.int64)
    for i in range(length):
        before = longest.copy()
        for j in range(length):
            longer = before[:, j] + same[:, i, j]
            longest[:, j + 1] = np.maximum.reduce([longer, before[:, j + 1], longest[:, j]])
    share: np.ndarray = longest[:, -1] / length
    return share


def _same(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Which places of the two hold one item, bool (users, K, K)."""
    if student.shape != teacher.shape:
        raise ValueError(f"Lists of one length are compared, not {student.shape}, {teacher.shape}.")
    same: np.ndarray = student[:, :, None] == teacher[:, None, :]
    return same & (student >= 0)[:, :, None]
