"""Variants against a reference, with a paired bootstrap over users and seeds (4.3)."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from lohrec.common import artefacts
from lohrec.evaluation import bootstrap, diversity, per_user, significance, tables

LEVEL, SEED = 0.95, 0

Figures = dict[str, dict[str, np.ndarray]]  # {variant: {metric: (seeds, users)}}


def read(variants: dict[str, list[str]], split: str, reference: str) -> tuple[np.ndarray, Figures]:
    """The users of a split (users,), rising, and their figures.

    Args:
        variants: {variant: per_user.parquet of each of its seeds}.

    Raises:
        ValueError: the tables differ in users or metrics.
    """
    users, figures = {}, {}
    for name, paths in variants.items():
        users[name], figures[name] = per_user.read(paths, split)
    for name in variants:
        if (
            not np.array_equal(users[name], users[reference])
            or figures[name].keys() != figures[reference].keys()
        ):
            raise ValueError(
                f"{variants[name][0]} and {variants[reference][0]} differ in {split} users or "
                "metrics; evaluate both again."
            )
    return users[reference], figures


def compare(
    figures: Figures,
    reference: str,
    resamples: int,
    paired: Collection[str] = (),
    vectors: str = "text",
) -> dict[str, Any]:
    """{variant: {"seeds": n, "metrics": {metric: ...}}}.

    Those of `paired` share trainings with the reference, seed by seed. A metric has `mean` and
    `std` over seeds and, but for the reference, `difference` (mean, low, high, p), `relative` (the
    same as a share of the reference's mean; None where that may be 0) and `excludes_zero`. Where
    `vectors`, what diversity is of, are each model's own, diversity has the first two alone.

    Raises:
        ValueError: figures contradict each other, see `tables.check`.
    """
    metrics = list(figures[reference])
    # Means over users, (seeds, metrics) each.
    seeds = [
        np.stack([values[m].mean(axis=1) for m in metrics], axis=1) for values in figures.values()
    ]
    # (users, variants, metrics), averaged over seeds
    values = np.stack(
        [
            np.stack([values[m].mean(axis=0) for m in metrics], axis=1)
            for values in figures.values()
        ],
        axis=1,
    )
    samples = bootstrap.resampled_means(values.reshape(len(values), -1), resamples, SEED)
    samples = samples.reshape(resamples, *values.shape[1:])
    base = list(figures).index(reference)
    means = values.mean(axis=0)

    result: dict[str, Any] = {}
    for v, name in enumerate(figures):
        result[name] = {"seeds": len(seeds[v]), "metrics": {}}
        # (resamples, 2, metrics), the variant and the reference
        pair, spread = bootstrap.with_seeds(
            samples[:, [v, base]], [seeds[v], seeds[base]], LEVEL, SEED, name in paired
        )
        differences = pair[:, 0] - pair[:, 1]
        low, high = bootstrap.interval(differences, LEVEL)
        for m, metric in enumerate(metrics):
            entry: dict[str, Any] = {**tables.mean_and_std(figures[name][metric])}
            if v != base and diversity.comparable(metric, vectors):
                found = {
                    "mean": float(means[v, m] - means[base, m]),
                    "low": float(low[m]),
                    "high": float(high[m]),
                }
                p = significance.p_of_difference(found["mean"], *(float(s[m]) for s in spread))
                entry["difference"] = found | {"p": p}
                entry["excludes_zero"] = bool(low[m] < high[m] and (low[m] > 0 or high[m] < 0))
                entry["relative"] = relative(means[[v, base], m], pair[:, :, m])
            result[name]["metrics"][metric] = entry
        tables.check(
            {metric: entry["mean"] for metric, entry in result[name]["metrics"].items()}, name
        )
    return result


def relative(means: np.ndarray, samples: np.ndarray) -> dict[str, float] | None:
    """The gain of a figure over the reference as a share of the reference, with its interval.

    Args:
        means: (2,), the figure and the reference.
        samples: (resamples, 2), the same, resampled.
    """
    if means[1] <= 0 or (samples[:, 1] <= 0).any():
        return None
    low, high = bootstrap.interval(samples[:, 0] / samples[:, 1] - 1, LEVEL)
    return {"mean": float(means[0] / means[1] - 1), "low": float(low), "high": float(high)}


def exposure(paths: Sequence[str], split: str) -> dict[str, dict[str, float | None]]:
    """{figure: {"mean", "std"}} over seeds of what exposure.json of each has for a split."""
    seeds = [artefacts.read_json(path)[split] for path in paths]
    return {
        name: tables.mean_and_std(np.array([[figures[name]] for figures in seeds]))
        for name in seeds[0]
    }
