"""Tables of results as Markdown that reads well in a terminal, and what they must satisfy."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

TOLERANCE = 1e-9


def mean_and_std(seeds: np.ndarray) -> dict[str, float | None]:
    """Mean and standard deviation (n - 1) over seeds of the users' mean; std is None for one seed.

    Args:
        seeds: (seeds, users).
    """
    means = seeds.mean(axis=1)
    std = float(means.std(ddof=1)) if len(means) > 1 else None
    return {"mean": float(means.mean()), "std": std}


def check(means: dict[str, float], where: str) -> None:
    """Check what Recall@K and NDCG@K must satisfy with one target a user.

    Between cutoffs A < B a target found at a place A + 1 .. B adds between 1 / log2(B + 1) and
    1 / log2(A + 2) to NDCG. So NDCG@B - NDCG@A lies between these two times Recall@B - Recall@A,
    for means over users too. Cutoff 0 stands for an empty list.

    Args:
        means: {"recall@5": ..., "ndcg@5": ..., "sid_recall@5": ..., ...}; others are passed over.
        where: what the message calls these figures.

    Raises:
        ValueError: a pair of cutoffs breaks the inequality.
    """
    for level in ("", "sid_"):
        name = f"{level}recall@"
        cutoffs = sorted(int(key.removeprefix(name)) for key in means if key.startswith(name))
        for low, high in zip([0, *cutoffs], cutoffs, strict=False):
            recall, ndcg = (
                means[f"{level}{metric}@{high}"] - means.get(f"{level}{metric}@{low}", 0.0)
                for metric in ("recall", "ndcg")
            )
            least, most = recall / math.log2(high + 1), recall / math.log2(low + 2)
            if not least - TOLERANCE <= ndcg <= most + TOLERANCE:
                raise ValueError(
                    f"{where}: from cutoff {low} to {high} {level}recall grows by {recall:.6f}, so "
                    f"{level}ndcg must grow by {least:.6f} to {most:.6f}, but it grows by "
                    f"{ndcg:.6f}. These figures cannot all be right."
                )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, the first to the left and the others to the right."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def comparison(result: dict[str, Any]) -> str:
    """The page comparison.md: for each split the figures and the differences to the reference.

    Args:
        result: what comparison.json holds; see compare.py.
    """
    reference, level = result["reference"], f"{result['level']:.0%}"
    page = [f"# {result['dataset']}: recommenders against {reference}"]
    for split, part in result["splits"].items():
        variants = part["variants"]
        figures = {name: variant["metrics"] for name, variant in variants.items()}
        shown, tied = _shown(figures)
        page.append(f"## {split.capitalize()} set, {part['users']:,} users")
        page.append(
            markdown(
                ["variant", "seeds", *map(label, shown + tied)],
                [
                    [
                        name,
                        str(variants[name]["seeds"]),
                        *(_figure(metrics[m]) for m in shown + tied),
                    ]
                    for name, metrics in figures.items()
                ],
            )
        )
        others = {name: metrics for name, metrics in figures.items() if name != reference}
        if others:
            page.append(f"Difference to {reference} in % [{level} interval]:")
            page.append(
                markdown(
                    ["variant", *map(label, shown)],
                    [
                        [name, *(_difference(metrics[m]) for m in shown)]
                        for name, metrics in others.items()
                    ],
                )
            )
    page.append(
        f"`*`: the {level} interval of the difference excludes zero. Paired bootstrap over users, "
        f"{result['resamples']:,}\nresamples; a user's figures are averaged over the seeds first, "
        "so the interval covers the\nchoice of users, not the training. "
        "± is the standard deviation over seeds."
    )
    scope = "variant" if result["diversity"] == "model" else "dataset"
    page.append(
        f"Diversity is Eq. 17 of the paper on the vectors `{result['diversity']}`; the usual "
        "intra-list diversity is\nthat times (K + 1) / (K - 1). Compare it within one "
        f"{scope} only."
    )
    return "\n\n".join(page) + "\n"


def label(metric: str) -> str:
    """A metric's heading: "ndcg@10" -> "NDCG@10", "sid_recall@5" -> "SID Recall@5"."""
    name, _, cutoff = metric.partition("@")
    words = [
        word.upper() if word in ("ndcg", "sid", "ild") else word.capitalize()
        for word in name.split("_")
    ]
    return f"{' '.join(words)}@{cutoff}"


def _shown(figures: dict[str, dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Accuracy at all cutoffs, diversity at the largest; SID level too where ties change it."""
    metrics = list(next(iter(figures.values())))
    cutoffs = sorted(int(name.split("@")[1]) for name in metrics if name.startswith("recall@"))
    accuracy = [f"{name}@{k}" for name in ("recall", "ndcg") for k in cutoffs]
    tied = any(
        abs(values[f"sid_{metric}"]["mean"] - values[metric]["mean"]) > TOLERANCE
        for values in figures.values()
        for metric in accuracy
    )
    sid = [f"sid_{name}@{cutoffs[-1]}" for name in ("recall", "ndcg")] if tied else []
    return [*accuracy, f"diversity@{cutoffs[-1]}"], sid


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['mean']:.4f}" + ("" if figure["std"] is None else f" ±{figure['std']:.4f}")


def _difference(figure: dict[str, Any]) -> str:
    relative, mark = figure["relative"], "*" if figure["excludes_zero"] else " "
    if relative is None:
        return f"n/a {mark}"
    low, high = _percent(relative["low"]), _percent(relative["high"])
    return f"{_percent(relative['mean'], '+')} [{low}, {high}]{mark}"


def _percent(share: float, sign: str = "-") -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(100 * share, 1) + 0.0:{sign}.1f}"
