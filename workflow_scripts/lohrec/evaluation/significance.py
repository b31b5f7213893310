"""How sure many differences are at once: p values of intervals, corrected by Holm's method."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t


def p_of_interval(mean: float, low: float, high: float, level: float, freedom: float) -> float:
    """Two-sided p of a difference, by Student's distribution that has its interval.

    A bootstrap's own p is never below 2 / (resamples + 1), which no correction for a whole table
    survives; its interval has no such floor (Altman and Bland 2011, "How to obtain the P value from
    a confidence interval"). Where few seeds decide, small p need Student's tails: by those of the
    normal distribution a difference of zero would have p below 0.001 in 2 of 100 comparisons of
    three seeds with a row that has no chance in it.

    Args:
        level: of the interval, 0.95 for instance.
        freedom: degrees of freedom; infinite for the normal distribution.
    """
    deviation = (high - low) / (2 * t.ppf((1 + level) / 2, freedom))
    if deviation == 0:
        return 1.0  # all users alike, or one alone: nothing tells how far chance goes
    return float(2 * t.sf(abs(mean) / deviation, freedom))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down method, in their order.

    Those below a bound hold all at once with an error below it, whatever their dependence.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    result = np.empty(len(p))
    result[order] = np.minimum(np.maximum.accumulate(corrected), 1)
    return [float(value) for value in result]
