import numpy as np
import pytest
from scipy.stats import norm, t, ttest_ind

from lohrec.evaluation import significance


def test_holm_is_the_textbooks_example():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([0.5, 0.9]) == [1.0, 1.0] and significance.holm([]) == []


def test_holm_rejects_what_its_steps_reject():
    """Step down: the k-th smallest of n is compared with a / (n - k), until one is above."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, bound = rng.random(8) ** 4, 0.05
        rejected = set()
        for step, place in enumerate(np.argsort(p)):
            if p[place] > bound / (8 - step):
                break
            rejected.add(int(place))
        corrected = significance.holm(p.tolist())
        assert {i for i, value in enumerate(corrected) if value <= bound} == rejected


def test_p_agrees_with_the_interval():
    mean, deviation = 0.3, 0.12
    for level in (0.9, 0.95):
        half = norm.ppf((1 + level) / 2) * deviation
        p = significance.p_of_interval(mean, mean - half, mean + half, level, np.inf)
        assert p == pytest.approx(2 * norm.sf(mean / deviation))
        # An interval that ends at zero has the p of its level.
        for freedom in (np.inf, 2.5):
            p = significance.p_of_interval(half, 0, 2 * half, level, freedom)
            assert p == pytest.approx(1 - level)
    assert significance.p_of_interval(0, 0, 0, 0.95, np.inf) == 1
    assert significance.p_of_interval(1, 1, 1, 0.95, np.inf) == 1  # of one user, say


def test_p_is_that_of_welchs_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 0.2, 3), rng.normal(0, 0.3, 4)
    test = ttest_ind(first, second, equal_var=False)
    mean = first.mean() - second.mean()
    half = t.ppf(0.975, test.df) * mean / test.statistic
    p = significance.p_of_interval(mean, mean - half, mean + half, 0.95, test.df)
    assert p == pytest.approx(test.pvalue)
    # The normal distribution with this interval makes far too much of it.
    assert significance.p_of_interval(mean, mean - half, mean + half, 0.95, np.inf) < p / 3
