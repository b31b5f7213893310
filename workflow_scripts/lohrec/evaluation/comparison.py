"""Variants against a reference, with a paired bootstrap over users (4.3)."""

from typing import Any

import numpy as np

from lohrec.evaluation import bootstrap, per_user, tables

LEVEL, SEED = 0.95, 0


def compare(
    variants: dict[str, list[str]], split: str, reference: str, resamples: int
) -> dict[str, Any]:
    """One split's figures: {"users": n, "variants": {variant: {"seeds": n, "metrics": ...}}}.

    A metric has `mean` and `std` over seeds and, but for the reference, `difference` (mean, low,
    high, p), `relative` (the same as a share of the reference's mean; None where that is 0) and
    `excludes_zero`.
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
    metrics = list(figures[reference])
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
    base = list(variants).index(reference)
    differences = samples - samples[:, [base]]
    low, high = bootstrap.interval(differences, LEVEL)
    p = bootstrap.p_value(differences)
    means = values.mean(axis=0)

    result: dict[str, Any] = {}
    for v, name in enumerate(figures):
        result[name] = {"seeds": len(variants[name]), "metrics": {}}
        for m, metric in enumerate(metrics):
            entry: dict[str, Any] = {**tables.mean_and_std(figures[name][metric])}
            if v != base:
                entry["difference"] = {
                    "mean": float(means[v, m] - means[base, m]),
                    "low": float(low[v, m]),
                    "high": float(high[v, m]),
                    "p": float(p[v, m]),
                }
                entry["excludes_zero"] = bool(low[v, m] > 0 or high[v, m] < 0)
                entry["relative"] = relative(means[[v, base], m], samples[:, [v, base], m])
            result[name]["metrics"][metric] = entry
        tables.check(
            {metric: entry["mean"] for metric, entry in result[name]["metrics"].items()},
            f"{name}, {split}",
        )
    return {"users": len(values), "variants": result}


def relative(means: np.ndarray, samples: np.ndarray) -> dict[str, float] | None:
    """The gain of a figure over the reference as a share of the reference, with its interval.

    Args:
        means: (2,), the figure and the reference.
        samples: (resamples, 2), the same, resampled.
    """
    if means[1] == 0 or (samples[:, 1] == 0).any():
        return None
    low, high = bootstrap.interval(samples[:, 0] / samples[:, 1] - 1, LEVEL)
    return {"mean": float(means[0] / means[1] - 1), "low": float(low), "high": float(high)}
