import numpy as np
import pytest
from scipy.stats import norm, t, ttest_ind

from lohrec.evaluation import bootstrap, significance


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


def test_p_of_either_part_alone_is_that_of_its_test():
    assert significance.p_of_difference(-0.3, 0.12, 0, np.inf) == pytest.approx(2 * norm.sf(2.5))
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 0.2, 3), rng.normal(0, 0.3, 4)
    test = ttest_ind(first, second, equal_var=False)
    mean = first.mean() - second.mean()
    p = significance.p_of_difference(mean, 0, mean / test.statistic, test.df)
    assert p == pytest.approx(test.pvalue)
    # A normal part that is nearly nothing changes nearly nothing.
    nearly = significance.p_of_difference(mean, 1e-3 * mean, mean / test.statistic, test.df)
    assert nearly == pytest.approx(p, rel=0.02)
    assert significance.p_of_difference(1, 0, 0, np.inf) == 1  # of one user, say


@pytest.mark.parametrize(("users", "seeds", "freedom"), [(1, 0.3, 2), (1, 1, 2), (0.5, 2, 3.7)])
def test_p_is_the_share_of_sums_that_lie_further_out(users, seeds, freedom):
    rng = np.random.default_rng(0)
    draws = 10**6
    sums = users * rng.normal(size=draws) + seeds * rng.standard_t(freedom, size=draws)
    for mean in (0.0, 1.0, 4.0, 12.0):
        share = (abs(sums) >= mean).mean()
        p = significance.p_of_difference(mean, users, seeds, freedom)
        assert p == pytest.approx(share, abs=4 * np.sqrt(share / draws) + 1e-5)


@pytest.mark.parametrize(("users", "seeds", "freedom"), [(1, 0.3, 2), (1, 1, 1), (1e-9, 2, 3.7)])
def test_p_at_the_end_of_an_interval_is_what_its_level_leaves(users, seeds, freedom):
    for level in (0.5, 0.95, 0.999):
        normal = norm.isf((1 - level) / 2) * np.hypot(users, seeds)
        far = significance.wider(level, users, seeds, freedom) * normal
        p = significance.p_of_difference(far, users, seeds, freedom)
        assert p == pytest.approx(1 - level, rel=0.05)
    assert significance.wider(0.95, 1, 0, np.inf) == 1
    assert significance.wider(0.95, 0, 1, 2) == pytest.approx(t.ppf(0.975, 2) / norm.ppf(0.975))


@pytest.mark.parametrize("seeds", [(1, 3), (3, 3)])
@pytest.mark.parametrize("ratio", [1, 3, 10])
def test_equal_variants_seldom_have_a_small_p(seeds, ratio):
    """Few seeds that lie close together by chance are no proof."""
    rng, trials = np.random.default_rng(0), 1500
    p = np.empty(trials)
    of_users = np.full(1, np.sqrt(2.0))
    for trial in range(trials):
        sides = [rng.normal(0, ratio if n > 1 else 0, (n, 1)) for n in seeds]
        mean = rng.normal(0, of_users[0]) + sides[0].mean() - sides[1].mean()
        spread = bootstrap.spread(of_users, sides, paired=False)
        p[trial] = significance.p_of_difference(mean, *(float(part[0]) for part in spread))
    assert 0.01 < (p < 0.05).mean() < 0.06
    assert (p < 0.01).mean() < 0.015
    assert (p < 0.001).mean() < 0.003
