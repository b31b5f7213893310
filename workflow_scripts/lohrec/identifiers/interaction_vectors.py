"""Vectors of items from who interacted with them, for items without text."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD

from lohrec.data.cooccurrence import users_items
from lohrec.data.examples import Examples
from lohrec.identifiers import text_vectors

# No settings: diversity of all rows is measured on these vectors, so they are the same for all.
DIMENSIONS = 64
SEED = 0


def item_vectors(train: Examples) -> np.ndarray:
    """Truncated SVD of the binary users x items matrix of the train split.

    Args:
        train: the train split; the items are those of all sequences.

    Returns:
        float32 (items, `DIMENSIONS`; fewer where users or items are fewer), rows of length 1; items
        that no train example shows get the mean of the others.
    """
    matrix = _items_users(train, int(train.sequences.max()) + 1)
    unseen = np.diff(matrix.indptr) == 0
    print(f"{matrix.nnz:,} train interactions; {unseen.sum()} of {len(unseen)} items without any")
    svd = TruncatedSVD(min(DIMENSIONS, *matrix.shape), random_state=SEED)
    vectors = text_vectors.unit(svd.fit_transform(matrix).astype(np.float32))
    return text_vectors.unit(text_vectors.fill_empty(vectors, unseen))


def from_neighbours(vectors: np.ndarray, without: np.ndarray, train: Examples) -> np.ndarray:
    """Give items without a vector of their own the mean of those that share users with them.

    An item counts as often as it shares a user in the train split.

    Args:
        vectors: float (items, dimensions), rows of length 1.
        without: bool (items,), items whose row means nothing.
        train: the train split.

    Returns:
        float32 (items, dimensions), rows of length 1; an item without such neighbours keeps its
        row.
    """
    matrix = _items_users(train, len(vectors))
    shared = matrix[without] @ matrix[~without].T  # (items without, items with)
    alone = np.diff(shared.indptr) == 0
    print(
        f"{without.sum()} of {len(without)} items without text: {(~alone).sum()} get the mean of "
        "their neighbours"
    )
    found = vectors.astype(np.float32, copy=True)
    means = text_vectors.unit(np.asarray(shared @ vectors[~without], dtype=np.float32))
    found[np.flatnonzero(without)[~alone]] = means[~alone]
    return found


def _items_users(train: Examples, items: int) -> csr_array:
    """The binary matrix of the train split, float32 (items, users)."""
    return csr_array(users_items(train, items).T.astype(np.float32))
