"""Gains over the best baseline of each metric (the underlined cells of Table 1)."""

from collections.abc import Collection, Mapping
from typing import Any

from lohrec.evaluation import comparison


def add_gains(
    variants: dict[str, Any],
    figures: comparison.Figures,
    kinds: Mapping[str, str],
    cutoffs: list[int],
    resamples: int,
    paired: Mapping[str, Collection[str]],
) -> None:
    """Add `over_best_baseline` to the entries of Recall and NDCG of every variant.

    It is the entry that `comparison.compare` makes of the variant against the baseline whose mean
    is the highest, which `baseline` names. The best one itself has none. It is chosen by the same
    users that the gain is measured on, so the figure is rather too low: a gain over it is sure, a
    loss may be the choice's.

    Args:
        variants: what `comparison.compare` returned.
        figures: {variant: {metric: (seeds, users)}}.
        kinds: {variant: "baseline", or another kind}.
        cutoffs: K of the metrics.
        resamples: of the bootstrap.
        paired: {baseline: those that share trainings with it, seed by seed}; all, or none of it.
    """
    baselines = [name for name in figures if kinds[name] == "baseline"]
    if not baselines:
        return
    metrics = [f"{name}@{k}" for k in cutoffs for name in ("recall", "ndcg")]
    accuracy = {name: {m: values[m] for m in metrics} for name, values in figures.items()}
    best = {
        m: max((variants[name]["metrics"][m]["mean"], name) for name in baselines)[1]
        for m in metrics
    }
    for baseline in dict.fromkeys(best.values()):
        against = comparison.compare(accuracy, baseline, resamples, paired.get(baseline, ()))
        for metric in (m for m in metrics if best[m] == baseline):
            for name in figures:
                if name != baseline:
                    gain = against[name]["metrics"][metric]
                    keep = ("difference", "relative", "excludes_zero")
                    variants[name]["metrics"][metric]["over_best_baseline"] = {
                        "baseline": baseline,
                        **{key: gain[key] for key in keep},
                    }
