"""Tables of results as Markdown that reads well in a terminal, and what they must satisfy."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
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
    for means over users too, and for expected hits: items that share an identifier have the mean
    over their orders, each of which obeys it. Cutoff 0 stands for an empty list.

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


def comma_separated(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV table with numbers in full; None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, the first to the left and the others to the right."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def label(metric: str) -> str:
    """A metric's heading: "ndcg@10" -> "NDCG@10", "sid_recall@5" -> "SID Recall@5"."""
    name, _, cutoff = metric.partition("@")
    words = [
        word.upper() if word in ("ndcg", "sid", "ild", "mrr") else word.capitalize()
        for word in name.split("_")
    ]
    return f"{' '.join(words)}@{cutoff}"
