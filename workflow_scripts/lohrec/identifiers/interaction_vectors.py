"""Vectors of items from who interacted with them, for items without text."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD

from lohrec.data.examples import Examples
from lohrec.identifiers import text_vectors

# No settings: the vectors only serve to compare methods, so they must be the same for all.
DIMENSIONS = 64
SEED = 0


def item_vectors(train: Examples, dimensions: int = DIMENSIONS) -> np.ndarray:
    """Truncated SVD of the binary users x items matrix of the train split.

    Args:
        train: the train split; the items are those of all sequences.
        dimensions: wanted; fewer come back where users or items are fewer.

    Returns:
        float32 (items, dimensions), rows of length 1; items that no train example shows get the
        mean of the others.
    """
    # Every train interaction is a target, or the first of its user's sequence.
    place, row = np.unique(np.concatenate([train.start, train.stop]), return_index=True)
    user, item = np.tile(train.user, 2)[row], train.sequences[place]
    shape = (int(user.max()) + 1, int(train.sequences.max()) + 1)
    matrix = csr_array((np.ones(len(item), np.float32), (item, user)), shape=shape[::-1])
    matrix.data[:] = 1  # an item that a user has twice counts once
    unseen = np.diff(matrix.indptr) == 0
    print(f"{len(item):,} train interactions; {unseen.sum()} of {shape[1]} items without any")
    svd = TruncatedSVD(min(dimensions, *shape), random_state=SEED)
    vectors = text_vectors.unit(svd.fit_transform(matrix).astype(np.float32))
    return text_vectors.unit(text_vectors.fill_empty(vectors, unseen))
