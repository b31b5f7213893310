"""Paired bootstrap over users and seeds: how sure a difference of means is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lohrec.evaluation import significance

SETTINGS = {
    "resamples": {
        "type": "integer", "minimum": 100, "default": 1000,
        "description": "Resamples of the paired bootstrap over users and seeds.",
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


class Spread(NamedTuple):
    """How far a difference of two means lies from the truth by chance; float64 (columns,) each."""

    users: np.ndarray  # standard deviation over users
    seeds: np.ndarray  # standard error over seeds
    freedom: np.ndarray  # degrees of freedom with which the latter is known

    def wider(self, level: float) -> np.ndarray:
        """How many times as far it goes as a normal one of its variance, see `significance`."""
        return np.array(
            [significance.wider(level, *map(float, one)) for one in zip(*self, strict=True)]
        )


def with_seeds(
    samples: np.ndarray,
    seeds: Sequence[np.ndarray],
    level: float,
    seed: int,
    paired: bool = False,
) -> tuple[np.ndarray, Spread]:
    """Add to users' draws the draws of seeds, for two variants that are held side by side.

    In each draw the n seeds of a variant are drawn with replacement, and the mean deviation of
    those drawn is added to its figure: for each variant on its own or, where one training is behind
    both, the same seeds for both. Three things make this right for few seeds:

    - Drawn so, deviations have the variance (n - 1) / n of what they should have; they are scaled
      by sqrt(n / (n - 1)).
    - The spread of few seeds is itself known badly. Chance is users Z + seeds T, with Student's T
      of the seeds' degrees of freedom: those of Welch and Satterthwaite for v_1 + v_2, where v_i
      has n_i - 1 of them; of pairs the n - 1 of their differences. All draws are moved away from
      the observed figures by the ratio of its quantile to that of a normal chance of its variance
      (Behrens and Fisher, as p values are: `significance`). So where users decide nothing changes,
      and where three seeds on either side decide the interval is at least 1.4 times as wide, with
      three pairs 2.2 times.
    - Deviations are those of the observed users. If these were drawn too, the noise of single users
      under single seeds would count three times in the variance, not once: in the users' draws, in
      the seeds', in both (Owen 2007, "The pigeonhole bootstrap"). As it is it counts twice, so that
      an interval is a little too wide where seeds differ by nothing else.

    Intervals of 95 % then hold a true difference of zero in 95 to 98 % of simulated comparisons of
    three seeds or more, in 95 to 99 % of two, in pairs or not; in 99 % where users under seeds are
    nearly all the noise there is.

    Where both have one seed the draws are `samples`: how trainings differ is then not covered.

    Args:
        samples: (resamples, 2, columns), as `resampled_means` gives them for means over seeds.
        seeds: for each of the two, (seeds, columns), the figures of its seeds.
        level: of the interval that will be taken.
        seed: of the draws.
        paired: the figures of both are of the same seeds, one by one.

    Returns:
        the draws, float64 (resamples, 2, columns), and the spread of their difference.
    """
    chance = spread((samples[:, 0] - samples[:, 1]).std(axis=0), seeds, paired)
    if max(map(len, seeds)) == 1:
        return samples, chance
    rng = np.random.default_rng([seed, 1])  # another stream than that of the users
    centre = np.stack([figures.mean(axis=0) for figures in seeds])
    drawn = samples.copy()
    for side, figures in enumerate(seeds):
        n = len(figures)
        if n > 1:
            if side == 0 or not paired:
                times = rng.multinomial(n, np.full(n, 1 / n), size=len(samples))  # (resamples, n)
            scale = np.sqrt(n / (n - 1))
            drawn[:, side] += scale * (times / n) @ (figures - centre[side])
    return centre + chance.wider(level) * (drawn - centre), chance


def spread(users: np.ndarray, seeds: Sequence[np.ndarray], paired: bool) -> Spread:
    """That of the difference of two variants.

    Args:
        users: its standard deviation over users, (columns,).
        seeds, paired: as in `with_seeds`.
    """
    independent = [seeds[0] - seeds[1]] if paired else seeds
    variance, terms = np.zeros_like(users), np.zeros_like(users)
    for figures in independent:
        n = len(figures)
        if n > 1:
            of_mean = figures.var(axis=0, ddof=1) / n
            variance += of_mean
            terms += of_mean**2 / (n - 1)
    freedom = np.divide(variance**2, terms, out=np.full_like(users, np.inf), where=terms > 0)
    return Spread(users, np.sqrt(variance), freedom)


def interval(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval (low, high) of resampled figures (resamples, ...)."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
