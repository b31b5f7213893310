"""How good identifiers are: whether they tell items apart and use their codebooks."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def use_and_perplexity(ids: np.ndarray, codes: int) -> tuple[list[int], list[float]]:
    """Codewords in use, and the perplexity exp(entropy) of their distribution, by level.

    Args:
        ids: int (items, levels), 0 .. codes - 1.
        codes: codewords a level.
    """
    use, perplexity = [], []
    for level in ids.T:
        share = np.bincount(level, minlength=codes) / len(ids)
        share = share[share > 0]
        use.append(len(share))
        perplexity.append(float(np.exp(-(share * np.log(share)).sum())))
    return use, perplexity


def identifier_quality(ids: np.ndarray, codes: int = 256) -> dict[str, Any]:
    """Figures of one set of identifiers.

    Args:
        ids: int (items, levels), 0 .. codes - 1.
        codes: codewords a level.

    Returns:
        items; distinct (identifiers); colliding_items (that share theirs with another item);
        largest_group (items of one identifier); levels: for each, use, perplexity and nodes (the
        distinct prefixes that end there, so the width of the prefix tree).
    """
    ids = np.asarray(ids, dtype=np.int64)
    _, count = np.unique(ids, axis=0, return_counts=True)
    use, perplexity = use_and_perplexity(ids, codes)
    nodes = [len(np.unique(ids[:, : level + 1], axis=0)) for level in range(ids.shape[1])]
    return {
        "items": len(ids),
        "distinct": len(count),
        "colliding_items": int(count[count > 1].sum()),
        "largest_group": int(count.max()),
        "levels": [
            {"level": level, "use": u, "perplexity": round(p, 3), "nodes": n}
            for level, (u, p, n) in enumerate(zip(use, perplexity, nodes, strict=True), 1)
        ],
    }


def relative_error(vectors: np.ndarray, reconstruction: Iterable[np.ndarray]) -> float:
    """Squared error over the vectors' variance: 0 is perfect, 1 is as good as their mean.

    Args:
        vectors: float (items, dimensions).
        reconstruction: the same, some rows after the other.
    """
    mean, error, variance, low = vectors.mean(0), 0.0, 0.0, 0
    for near in reconstruction:
        part = vectors[low : low + len(near)]
        low += len(near)
        error += np.square(part - near, dtype=np.float64).sum()
        variance += np.square(part - mean, dtype=np.float64).sum()
    return float(error / variance) if variance > 0 else 0.0
