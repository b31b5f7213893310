"""Identifiers from who had which items together: P5-CID (Hua et al., SIGIR-AP 2023).

Items are the nodes of a graph whose edges are weighted with the users that had both. Spectral
clustering (von Luxburg, 2007) cuts it into clusters, each of these again, level by level, and the
last codeword tells the items of a cluster apart. The codewords of a level are numbered on from
cluster to cluster, and begin anew after the last one there is: so few clusters share a codeword.
"""

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from lohrec.data.cooccurrence import cooccurrences
from lohrec.data.examples import Examples
from lohrec.identifiers.clustering import kmeans
from lohrec.identifiers.codewords import CODES, LEVELS

SETTINGS = {
    "clusters": {
        "type": "integer", "minimum": 2, "maximum": 128, "default": 20,
        "description": "Clusters that a cluster is cut into.",
    },
    "seed": {"type": "integer", "minimum": 0, "default": 0, "description": "Of the clustering."},
}  # fmt: skip
DENSE = 200  # nodes of a graph up to which all eigenvectors are computed


def identifiers(train: Examples, items: int, clusters: int, seed: int) -> np.ndarray:
    """An identifier for each item, no two alike, int16 (items, levels).

    Args:
        train: the train split, whose users' items are the edges.
        items: how many there are; those that no train user has are one cluster.
        clusters: see `SETTINGS`.
        seed: of the clustering.

    Raises:
        ValueError: there are more items than identifiers of that many clusters.
    """
    graph = cooccurrences(train, items).astype(float)
    ids = np.zeros((items, LEVELS), dtype=np.int16)
    parents = [np.arange(items)]
    for level in range(LEVELS):
        used, found = 0, []
        for members in parents:
            code = np.arange(len(members))
            if level < LEVELS - 1:
                if len(members) > clusters:
                    code = spectral(graph[members][:, members], clusters, seed)
                code = _cut(code, CODES ** (LEVELS - 1 - level))
            count = code.max(initial=-1) + 1
            if count > CODES:
                raise ValueError(
                    f"{len(members):,} items of one cluster have {count} parts, and there are "
                    f"{CODES} codewords: lower collaborative.clusters ({clusters})."
                )
            ids[members, level] = (used + code) % CODES
            used += count
            found += [members[code == one] for one in range(count)]
        parents = found
    return ids


def spectral(graph: csr_array, clusters: int, seed: int) -> np.ndarray:
    """Clusters of a graph's nodes, int (nodes,): k-means of the rows of the first eigenvectors of
    I + D^-1/2 A D^-1/2, each of length 1 (Ng et al., 2001)."""
    scale = diags_array(1 / np.sqrt(np.maximum(graph.sum(1), 1)))
    similarity = eye_array(graph.shape[0]) + scale @ graph @ scale
    if graph.shape[0] <= max(DENSE, 2 * clusters):
        vectors = np.linalg.eigh(similarity.toarray())[1][:, -clusters:]
    else:
        begin = np.random.default_rng(seed).normal(size=graph.shape[0])
        try:
            vectors = eigsh(similarity, clusters, which="LA", v0=begin, tol=1e-4)[1]
        except ArpackNoConvergence as stopped:
            vectors = stopped.eigenvectors
            if not vectors.shape[1]:
                raise ValueError(
                    f"No cluster of {graph.shape[0]:,} items was found where "
                    f"collaborative.clusters ({clusters}) are wanted: lower it."
                ) from stopped
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors / np.maximum(length, 1e-12)
    rows[graph.sum(1) == 0] = 0  # where an iteration leaves no more than its own error
    label: np.ndarray = kmeans(rows, clusters, seed, starts=4).labels_
    return label


def _cut(code: np.ndarray, room: int) -> np.ndarray:
    """Codes numbered anew without gaps, those of more than `room` items cut into several."""
    order = np.argsort(code, kind="stable")
    new = np.diff(code[order], prepend=-1) != 0
    first = np.flatnonzero(new)[np.cumsum(new) - 1]
    part = (np.arange(len(code)) - first) // room
    found = np.empty(len(code), dtype=np.int64)
    found[order] = np.cumsum(new | (np.diff(part, prepend=0) != 0)) - 1
    return found
