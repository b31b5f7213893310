"""How close a variant's lists are to its teacher's: Coverage and Coordination (4.6)."""

from pathlib import Path
from typing import Any

import numpy as np

from lohrec.evaluation import bootstrap, ranked_lists, tables

LEVEL, SEED = 0.95, 0
USERS = 2**16  # whose lists are compared at once


def coverage(lists: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Share of the teacher's top K that is in the variant's, after ROUGE-1.

    Args:
        lists, teacher: int (users, K) items, none twice in a list; -1 where a list ends.

    Returns:
        float64 (users,), |S and T| / K.
    """
    shared: np.ndarray = _same(lists, teacher).any(2).mean(1)
    return shared


def coordination(lists: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Longest common subsequence of the two lists as a share of K, after ROUGE-L.

    Args and result are those of `coverage`.
    """
    same = _same(lists, teacher)
    users, length, _ = same.shape
    # longest[:, j] is that of the variant's items so far and the teacher's first j.
    longest = np.zeros((users, length + 1), dtype=np.int64)
    for i in range(length):
        before = longest.copy()
        for j in range(length):
            longer = before[:, j] + same[:, i, j]
            longest[:, j + 1] = np.maximum.reduce([longer, before[:, j + 1], longest[:, j]])
    share: np.ndarray = longest[:, -1] / length
    return share


def against_teacher(
    variants: dict[str, np.ndarray], teacher: np.ndarray, resamples: int
) -> dict[str, dict[str, dict[str, float]]]:
    """{variant: {measure: {"mean", "low", "high"}}}, intervals by a bootstrap over users.

    Args:
        variants: {name: lists}, lists as for `coverage`.
        teacher: lists of the same users.
    """
    measures = {"coverage": coverage, "coordination": coordination}
    parts = [slice(begin, begin + USERS) for begin in range(0, len(teacher), USERS)]
    values = np.array(
        [
            [np.concatenate([of(lists[p], teacher[p]) for p in parts]) for of in measures.values()]
            for lists in variants.values()
        ]
    )
    samples = bootstrap.resampled_means(values.reshape(-1, len(teacher)).T, resamples, SEED)
    low, high = bootstrap.interval(samples.reshape(-1, *values.shape[:2]), LEVEL)
    return {
        name: {
            measure: {"mean": values[s, m].mean(), "low": low[s, m], "high": high[s, m]}
            for m, measure in enumerate(measures)
        }
        for s, name in enumerate(variants)
    }


def first_items(path: str | Path, users: np.ndarray, items: int, top: int) -> np.ndarray:
    """The first `top` items of every user's list, (users, top); -1 where a list is shorter.

    Items of one identifier come in the same order in all lists, so where such a group lies across
    the last place two lists share a little more than by chance.
    """
    lists = ranked_lists.read(path, "test", users, items)
    first = lists.padded(np.ones(len(lists.item), dtype=bool))[:, :top]
    return np.pad(first, ((0, 0), (0, top - first.shape[1])), constant_values=-1)


def page(result: dict[str, Any]) -> str:
    """The page alignment.md.

    Args:
        result: what alignment.json holds: dataset, teacher (its name), users, top and variants,
            see `against_teacher`.
    """
    top, users = result["top"], result["users"]
    rows = [
        [name, *(f"{m['mean']:.4f} [{m['low']:.4f}, {m['high']:.4f}]" for m in measures.values())]
        for name, measures in result["variants"].items()
    ]
    parts = [
        f"# {result['dataset']}: lists of {top} against those of the teacher, "
        f"{result['teacher']}, {users:,} test users",
        tables.markdown(["variant", "Coverage", "Coordination"], rows),
        f"Coverage: share of the teacher's {top} items that the variant lists too. "
        f"Coordination: longest\ncommon subsequence of the two lists over {top}. "
        f"Of the first seed; in brackets: {LEVEL:.0%} bootstrap intervals over users alone.",
    ]
    return "\n\n".join(parts) + "\n"


def _same(lists: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Which places of the two hold one item, bool (users, K, K)."""
    if lists.shape != teacher.shape:
        raise ValueError(f"Lists of one length are compared, not {lists.shape}, {teacher.shape}.")
    same: np.ndarray = lists[:, :, None] == teacher[:, None, :]
    return same & (lists >= 0)[:, :, None]
