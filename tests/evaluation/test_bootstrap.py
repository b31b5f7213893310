import numpy as np
import pytest
import scipy.stats

from lohrec.evaluation import bootstrap


def sample(users=400):
    """Two methods' hits: dependent, as those of the same users are."""
    rng = np.random.default_rng(0)
    base = rng.random(users) < 0.2
    other = np.where(rng.random(users) < 0.8, base, rng.random(users) < 0.35)
    return np.stack([base, other], axis=1).astype(float)


def test_interval_of_the_difference_agrees_with_scipy():
    values = sample()
    means = bootstrap.resampled_means(values, 4000, seed=1)
    low, high = bootstrap.interval(means[:, 1] - means[:, 0])
    expected = scipy.stats.bootstrap(
        (values[:, 1], values[:, 0]),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        random_state=2,
    ).confidence_interval
    width = high - low
    assert low == pytest.approx(expected.low, abs=0.07 * width)
    assert high == pytest.approx(expected.high, abs=0.07 * width)


def test_spread_and_p_agree_with_normal_theory():
    values = sample()
    difference = values[:, 1] - values[:, 0]
    error = difference.std() / np.sqrt(len(values))
    means = bootstrap.resampled_means(values, 4000, seed=1)
    resampled = means[:, 1] - means[:, 0]
    assert resampled.std() == pytest.approx(error, rel=0.05)
    assert resampled.mean() == pytest.approx(difference.mean(), abs=4 * error / np.sqrt(4000))
    expected = 2 * scipy.stats.norm.sf(abs(difference.mean()) / error)
    assert bootstrap.p_value(resampled) == pytest.approx(expected, abs=0.02)


def test_draws_are_seeded_and_do_not_depend_on_the_memory_bound(monkeypatch):
    values = sample(50)
    whole = bootstrap.resampled_means(values, 20, seed=3)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 3 * 8 * 50)
    assert bootstrap.resampled_means(values, 20, seed=3) == pytest.approx(whole)
    assert not np.allclose(bootstrap.resampled_means(values, 20, seed=4), whole)


def test_every_column_sees_the_same_users():
    values = np.random.default_rng(0).normal(size=(30, 1))
    means = bootstrap.resampled_means(np.hstack([values, values + 1]), 50, seed=0)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.ones(50))


def test_p_of_equal_and_of_separated_methods():
    assert bootstrap.p_value(np.zeros(99)) == 1
    assert bootstrap.p_value(np.ones(99)) == pytest.approx(0.02)
