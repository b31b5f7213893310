"""Maps of items as models embed them, and how alike two models' embeddings are (Figure 4)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from lohrec.identifiers import clustering

SEED = 0
ITEMS = 20_000  # that are mapped and compared, at most
OTHERS = ""  # the group of an item that has none of its own
LONGEST = 22  # characters of a category in a legend


def drawn(items: int) -> np.ndarray:
    """The codes of at most `ITEMS` of so many items, rising, always the same ones."""
    chosen = np.random.default_rng(SEED).permutation(items)[:ITEMS]
    return np.sort(chosen)


def maps(embedded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Two dimensions of each model's embeddings by one aligned UMAP, (items, 2).

    Each map is pulled to the one before it, item by item, so that all lie in one frame.

    Args:
        embedded: {model: (items, d)}, two models or more; d may differ.
    """
    from umap import AlignedUMAP  # takes seconds

    print(f"UMAP of {', '.join(embedded)}", flush=True)
    vectors = list(embedded.values())
    same = {item: item for item in range(len(vectors[0]))}
    aligned = AlignedUMAP(random_state=SEED, n_neighbors=min(15, len(same) - 1))
    points = aligned.fit_transform(vectors, relations=[same] * (len(vectors) - 1))
    return dict(zip(embedded, map(np.asarray, points), strict=True))


def nearest(vectors: np.ndarray, count: int) -> np.ndarray:
    """The nearest items of every item by cosine, itself left out, (items, count)."""
    index = NearestNeighbors(n_neighbors=count, metric="cosine").fit(vectors)
    near: np.ndarray = index.kneighbors(return_distance=False)
    return near


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean share of an item's neighbours `a` that are among its neighbours `b`, (items, count)."""
    return float((a[:, :, None] == b[:, None, :]).any(2).mean())


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment of two models' embeddings (Kornblith et al. 2019).

    |A'B|^2 / (|A'A| |B'B|) of the centred matrices, in Frobenius norms: 1 where they are equal up
    to a rotation and a scale, 0 where no direction of one follows any of the other.

    Args:
        a, b: (items, d) of the same items; d may differ.
    """
    a, b = (np.asarray(x, dtype=np.float64) - x.mean(0, dtype=np.float64) for x in (a, b))
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / scale) if scale > 0 else 0.0


def categories(paths: Sequence[Sequence[str]]) -> list[str]:
    """A category for each item: the first step of the paths at which they part.

    Args:
        paths: of each item, from the widest category to the narrowest; they may be empty.

    Returns:
        "" for an item that has none there, and for all items where the paths never part.
    """
    for depth in range(max(map(len, paths), default=0)):
        found = [path[depth] if depth < len(path) else OTHERS for path in paths]
        if len({one for one in found if one}) > 1:
            return [one[:LONGEST] + "..." * (len(one) > LONGEST) for one in found]
    return [OTHERS] * len(paths)


def clusters(vectors: np.ndarray, count: int) -> list[str]:
    """The cluster of each item by k-means, for items that have no categories.

    Args:
        vectors: (items, d).
        count: of clusters, at most; fewer where fewer items differ.
    """
    fitted = clustering.kmeans(vectors, min(count, len(vectors)), SEED)
    return [f"cluster {number + 1}" for number in fitted.labels_]


def most_common(group: Sequence[str], most: int) -> list[str]:
    """The groups with the most items, in order; an item without a group counts for none."""
    counted = Counter(one for one in group if one)
    return [name for name, _ in sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:most]]
