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


def test_spread_agrees_with_normal_theory():
    values = sample()
    difference = values[:, 1] - values[:, 0]
    error = difference.std() / np.sqrt(len(values))
    means = bootstrap.resampled_means(values, 4000, seed=1)
    resampled = means[:, 1] - means[:, 0]
    assert resampled.std() == pytest.approx(error, rel=0.05)
    assert resampled.mean() == pytest.approx(difference.mean(), abs=4 * error / np.sqrt(4000))


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


def test_with_one_seed_each_the_draws_are_those_of_users():
    samples = bootstrap.resampled_means(sample(), 50, seed=1)[:, :, None]
    drawn, chance = bootstrap.with_seeds(samples[:, :, :], np.zeros((2, 1, 1)), 0.95, 0)
    assert np.array_equal(drawn, samples) and chance.wider(0.95) == [1]
    assert chance.seeds == [0] and chance.users == (samples[:, 0] - samples[:, 1]).std(axis=0)


def test_drawn_seeds_have_the_spread_of_a_mean_of_seeds():
    """The variance of the mean of three seeds, and Student's quantile for what little they tell."""
    rng = np.random.default_rng(0)
    seeds = [rng.normal(size=(3, 40)), rng.normal(size=(1, 40))]
    nothing = np.stack([figures.mean(axis=0) for figures in seeds])[None].repeat(20000, axis=0)
    drawn, chance = bootstrap.with_seeds(nothing, seeds, 0.95, 0)
    # Welch's degrees of freedom are two where one side alone has a spread.
    assert chance.freedom == pytest.approx(np.full(40, 2))
    student = scipy.stats.t.ppf(0.975, 2) / scipy.stats.norm.ppf(0.975)
    error = scipy.stats.sem(seeds[0])
    assert drawn[:, 0].std(axis=0) == pytest.approx(student * error, rel=0.03)
    assert np.array_equal(drawn[:, 1], nothing[:, 1])
    assert drawn.mean(axis=0) == pytest.approx(nothing[0], abs=0.1)


def test_freedom_is_that_of_welchs_test_where_users_add_nothing():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(3, 1)), rng.normal(size=(5, 1)) * 3
    expected = scipy.stats.ttest_ind(first, second, equal_var=False).df
    chance = bootstrap.spread(np.zeros(1), [first, second], paired=False)
    assert chance.freedom == pytest.approx(expected)
    student = scipy.stats.t.ppf(0.975, expected) / scipy.stats.norm.ppf(0.975)
    assert chance.wider(0.95) == pytest.approx(student)
    # Where users decide nothing is wider.
    chance = bootstrap.spread(np.full(1, 1e4), [first, second], paired=False)
    assert chance.wider(0.95) == pytest.approx(1, abs=1e-5)


def test_seeds_that_go_together_are_drawn_together():
    """What both variants owe to a seed is no chance between them."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=(4, 3))
    own = 0.01 * rng.normal(size=(4, 3))
    seeds = [common + own, common]
    nothing = np.stack([figures.mean(axis=0) for figures in seeds])[None].repeat(20000, axis=0)
    drawn, chance = bootstrap.with_seeds(nothing, seeds, 0.95, 0, paired=True)
    student = scipy.stats.t.ppf(0.975, 3) / scipy.stats.norm.ppf(0.975)
    assert chance.freedom == pytest.approx(np.full(3, 3))
    assert chance.seeds == pytest.approx(scipy.stats.sem(own))
    of_difference = (drawn[:, 0] - drawn[:, 1]).std(axis=0)
    assert of_difference == pytest.approx(student * scipy.stats.sem(own), rel=0.03)
    apart, _ = bootstrap.with_seeds(nothing, seeds, 0.95, 0)
    assert ((apart[:, 0] - apart[:, 1]).std(axis=0) > 20 * of_difference).all()


def covered(seeds, of_users, of_seeds, of_both, paired=False, trials=1000):
    """How often a 95 % interval holds a true difference of zero: (with seeds, over users alone).

    Args:
        seeds: number of seeds of each of two equal methods; one of one seed is not trained.
        of_users, of_seeds, of_both: standard deviations: of what a method does for a user whatever
            the seed, of a seed's training, of a user under a seed.
        paired: the seeds of both are held side by side.
    """
    users, resamples = 100, 400
    rng = np.random.default_rng(0)
    # A trial a column: the draws of users are the same for all, their values are not.
    sides = [
        rng.normal(0, of_users, (1, users, trials))
        + rng.normal(0, of_seeds if n > 1 else 0, (n, 1, trials))
        + rng.normal(0, of_both, (n, users, trials))
        for n in seeds
    ]
    values = np.stack([side.mean(axis=0) for side in sides], axis=1).reshape(users, -1)
    samples = bootstrap.resampled_means(values, resamples, 0).reshape(resamples, 2, trials)
    figures = [side.mean(axis=1) for side in sides]
    drawn, _ = bootstrap.with_seeds(samples, figures, 0.95, 0, paired)
    shares = []
    for draws in (drawn, samples):
        low, high = bootstrap.interval(draws[:, 0] - draws[:, 1])
        shares.append(((low <= 0) & (high >= 0)).mean())
    return shares


@pytest.mark.parametrize(("ratio", "too_few"), [(1, 0.93), (10, 0.45)])
@pytest.mark.parametrize(
    ("seeds", "paired"),
    [((3, 5), False), ((1, 3), False), ((3, 3), True), ((2, 2), True)],
)
def test_intervals_cover_what_seeds_and_users_do_by_chance(seeds, paired, ratio, too_few):
    """A seed's spread is `ratio` times the standard error that users leave in a method's mean."""
    with_seeds, users_alone = covered(seeds, 0.7, ratio * 0.7 / np.sqrt(100), 0.3, paired)
    assert 0.935 <= with_seeds <= 0.995
    assert users_alone < too_few


def test_intervals_are_little_wider_where_seeds_add_nothing():
    with_seeds, users_alone = covered((3, 3), 0.7, 0.0, 0.3)
    assert 0.92 <= users_alone <= with_seeds <= 0.975
