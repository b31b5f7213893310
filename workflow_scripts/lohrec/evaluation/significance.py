"""How far chance goes: quantiles and p values of differences, and Holm's correction of many."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm, t

# A grid of standard normal quantiles, and the probability around each.
GRID = np.linspace(-8, 8, 1601)
WEIGHTS = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()


def p_of_difference(mean: float, users: float, seeds: float, freedom: float) -> float:
    """Two-sided p of a difference, whose chance is the sum of a normal and a Student's part.

    A bootstrap's own p is never below 2 / (resamples + 1), which no correction for a whole table
    survives. One by the normal distribution, or by Student's with the degrees of freedom of the
    whole variance, is far too small where a few seeds lie close together by chance. So the seeds'
    part has tails of its own (Behrens and Fisher): p = P(|users Z + seeds T| >= |mean|).

    Args:
        users: standard deviation over users.
        seeds: standard error over seeds, 0 without them.
        freedom: with how many degrees of freedom that is known.
    """
    far = abs(mean)
    if users == 0 and seeds == 0:
        return 1.0  # all users alike, or one alone: nothing tells how far chance goes
    if users == 0:
        return float(2 * t.sf(far / seeds, freedom))
    if seeds == 0:
        return float(2 * ndtr(-far / users))
    return _beyond(far, users, seeds, _students(freedom))


def wider(level: float, users: float, seeds: float, freedom: float) -> float:
    """How many times as far such chance goes as a normal one of the same variance.

    Args:
        level: the share of chance that both distances hold, such as 0.95.
        users, seeds, freedom: as in `p_of_difference`, whose p is 1 - level at that distance.
    """
    if seeds == 0:
        return 1.0
    normal, students = norm.isf((1 - level) / 2), t.isf((1 - level) / 2, freedom)
    if users == 0:
        return float(students / normal)
    values = _students(freedom)
    most = users * normal + seeds * students  # further out than either part goes by itself
    far = brentq(lambda d: _beyond(d, users, seeds, values) - (1 - level), 0, 2 * most)
    return float(far / (normal * np.hypot(users, seeds)))


def _students(freedom: float) -> np.ndarray:
    """T at the quantiles of the grid."""
    values: np.ndarray = t.isf(ndtr(-GRID), freedom)
    return values


def _beyond(far: float, users: float, seeds: float, students: np.ndarray) -> float:
    """P(|users Z + seeds T| >= far)."""
    return float(2 * WEIGHTS @ ndtr((seeds * students - far) / users))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down method, in their order.

    Those below a bound hold all at once with an error below it, whatever their dependence.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    result = np.empty(len(p))
    result[order] = np.minimum(np.maximum.accumulate(corrected), 1)
    return [float(value) for value in result]
