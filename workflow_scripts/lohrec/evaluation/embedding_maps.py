"""Maps of items as models embed them, and the neighbours that two models share (Figure 4)."""

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.neighbors import NearestNeighbors

SEED = 0


def maps(embedded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Two dimensions of each model's embeddings by UMAP, (items, 2).

    A map is scaled, and turned to lie on the first one as well as it can (Procrustes), for UMAP
    leaves both to chance.

    Args:
        embedded: {model: (items, d)}; d may differ.
    """
    from umap import UMAP  # takes seconds

    turned: dict[str, np.ndarray] = {}
    for name, vectors in embedded.items():
        print(f"UMAP of {name}", flush=True)
        points = UMAP(random_state=SEED, n_jobs=1).fit_transform(vectors)
        points = (points - points.mean(0)) / points.std()
        first = next(iter(turned.values()), points)
        turned[name] = points @ orthogonal_procrustes(points, first)[0]
    return turned


def nearest(vectors: np.ndarray, count: int) -> np.ndarray:
    """The nearest items of every item by cosine, itself left out, (items, count)."""
    index = NearestNeighbors(n_neighbors=count, metric="cosine").fit(vectors)
    near: np.ndarray = index.kneighbors(return_distance=False)
    return near


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean share of an item's neighbours `a` that are among its neighbours `b`, (items, count)."""
    return float((a[:, :, None] == b[:, None, :]).any(2).mean())
