"""How sure many differences are at once: p values of intervals, corrected by Holm's method."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm


def p_of_interval(mean: float, low: float, high: float, level: float) -> float:
    """Two-sided p of a difference, by the normal distribution that has its interval.

    A bootstrap's own p is never below 2 / (resamples + 1), which no correction for a whole table
    survives; its interval has no such floor (Altman and Bland 2011, "How to obtain the P value from
    a confidence interval").

    Args:
        level: of the interval, 0.95 for instance.
    """
    deviation = (high - low) / (2 * norm.ppf((1 + level) / 2))
    if deviation == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * norm.sf(abs(mean) / deviation))


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down method, in their order.

    Those below a bound hold all at once with an error below it, whatever their dependence.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    result = np.empty(len(p))
    result[order] = np.minimum(np.maximum.accumulate(corrected), 1)
    return [float(value) for value in result]
