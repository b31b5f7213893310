"""Intra-list diversity: the mean cosine distance within the top K (Eq. 17)."""

import numpy as np
from scipy.sparse import csr_array

from lohrec.evaluation.ranked_lists import RankedLists

SETTINGS = {
    "diversity": {
        "enum": ["text", "latent", "interactions", "model"], "default": "text",
        "description": (
            "Vectors of Eq. 17: of the text, of the RQ-VAE's latents, an SVD of the interactions, "
            "or each model's own embeddings of codewords, which no two recommenders share."
        ),
    },
}  # fmt: skip

CHUNK_BYTES = 2**22  # sums of vectors at a time; they stay in the cache


def comparable(metric: str, vectors: str) -> bool:
    """Whether figures of two recommenders may be held against each other.

    Diversity may not where each has vectors of its own: a model whose embeddings lie closer
    together seems to have lists that are less diverse.

    Args:
        metric: its name, such as diversity@10.
        vectors: the setting `diversity`.
    """
    return vectors != "model" or metric.partition("@")[0] not in ("diversity", "ild")


def said(vectors: str) -> str:
    """What is to be said beside diversities that are not comparable, after another sentence."""
    own = (
        " Each method's diversity is on vectors of its own, so that it says nothing beside "
        "another's: it has no marks and no differences."
    )
    return "" if comparable("diversity", vectors) else own


def intra_list(
    lists: RankedLists, vectors: np.ndarray, cutoffs: list[int]
) -> dict[str, np.ndarray]:
    """Diversity of every user's list, as Eq. 17 has it and as is usual.

    Eq. 17 divides the sum over i <= j of 1 - cos by K (K + 1) / 2, though the terms i = j are zero;
    the usual diversity divides by the K (K - 1) / 2 pairs, so Eq. 17 = usual x (K - 1) / (K + 1).
    Where tied items straddle the place K, this is the expectation over their orders. A list
    shorter than K counts as its own K; one item alone has diversity 0, and so has no item. A vector
    of zeros has cosine 0 with every other.

    Args:
        lists: lists of the users.
        vectors: (items, d), one vector an item.
        cutoffs: the values of K, in items.

    Returns:
        {"diversity@K" (Eq. 17), "ild@K" (usual): float64 (users,)}.

    Raises:
        ValueError: a vector has a value that is not finite.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(length).all():
        raise ValueError(
            f"{(~np.isfinite(length)).sum()} item vectors are not finite; make the vectors again."
        )
    unit = vectors / np.where(length > 0, length, 1)
    figures = {}
    for k in cutoffs:
        size = np.minimum(np.diff(lists.offset), k)
        distance = size * (size - 1) / 2 - _cosine_sum(lists, unit, k)
        figures[f"diversity@{k}"] = distance / np.maximum(size * (size + 1) / 2, 1)
        figures[f"ild@{k}"] = distance / np.maximum(size * (size - 1) / 2, 1)
    return figures


def _cosine_sum(lists: RankedLists, unit: np.ndarray, k: int) -> np.ndarray:
    """Expected sum of cosines over the pairs in the top K, float64 (users,).

    The sum over the pairs of a set is (|sum of vectors|^2 - sum of |vector|^2) / 2, linear in K.
    """
    users, last = len(lists.user), lists.first + lists.ties - 1
    straddling = (lists.first <= k) & (last > k)
    # Of m tied items, s are within the top K: one is with probability s / m, a pair with
    # s (s - 1) / (m (m - 1)).
    s, m = np.zeros(users), np.full(users, 2)
    row = lists.row[straddling]
    s[row] = k - lists.first[straddling] + 1
    m[row] = lists.ties[straddling]
    one, pair = s / m, s * (s - 1) / (m * (m - 1))

    certain = _members(lists, last <= k, len(unit))
    tied = _members(lists, straddling, len(unit))
    square = np.einsum("id,id->i", unit, unit)
    certain_squares, tied_squares = certain @ square, tied @ square
    step = max(1, CHUNK_BYTES // (4 * unit.shape[1]))
    cosine = np.empty(users)
    for begin in range(0, users, step):
        part = slice(begin, begin + step)
        inside, edge = certain[part] @ unit, tied[part] @ unit  # (users, d), sums of vectors
        cosine[part] = (
            (_dot(inside, inside) - certain_squares[part]) / 2
            + one[part] * _dot(inside, edge)
            + pair[part] * (_dot(edge, edge) - tied_squares[part]) / 2
        )
    return cosine


def _members(lists: RankedLists, keep: np.ndarray, items: int) -> csr_array:
    """Which items each list has among the rows in `keep`: sparse ones, (users, items)."""
    ones = np.ones(keep.sum(), dtype=np.float32)
    shape = len(lists.user), items
    return csr_array((ones, (lists.row[keep], lists.item[keep])), shape=shape)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product: np.ndarray = np.einsum("ud,ud->u", a, b)
    return product
