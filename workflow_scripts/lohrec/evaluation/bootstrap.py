"""Paired bootstrap over users: how sure a difference of means is."""

import numpy as np

SETTINGS = {
    "resamples": {
        "type": "integer", "minimum": 1, "default": 1000,
        "description": "Resamples of the paired bootstrap.",
    },
}  # fmt: skip

BLOCK_BYTES = 64 * 2**20


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Column means over users drawn with replacement.

    Every column sees the same draw of users, so that the difference of two columns of the result
    is a paired resample of the difference of their means.

    Args:
        values: (users, columns).
        resamples: number of draws, each of as many users as there are.
        seed: of the draws.

    Returns:
        float64 (resamples, columns). Memory beside it stays near 64 MB.
    """
    users = len(values)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_BYTES // (8 * users))
    means = np.empty((resamples, values.shape[1]))
    for begin in range(0, resamples, block):
        draws = range(begin, min(begin + block, resamples))
        # How often each user is drawn turns means into one matrix product. (draws, users)
        times = np.empty((len(draws), users))
        for draw in range(len(draws)):
            times[draw] = np.bincount(rng.integers(users, size=users), minlength=users)
        means[begin : draws.stop] = times @ values / users
    return means


def interval(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval (low, high) of resampled figures (resamples, ...)."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def p_value(differences: np.ndarray) -> np.ndarray:
    """Two-sided p of resampled differences (resamples, ...): twice the smaller tail beyond zero.

    The observed sample counts as one resample, so p is never below 2 / (resamples + 1).
    """
    count = len(differences) + 1
    below = (1 + (differences <= 0).sum(axis=0)) / count
    above = (1 + (differences >= 0).sum(axis=0)) / count
    p: np.ndarray = np.minimum(1.0, 2 * np.minimum(below, above))
    return p
