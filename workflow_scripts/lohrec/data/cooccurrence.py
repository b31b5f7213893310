"""Who had which items in the train split, and which items were had together."""

import numpy as np
from scipy.sparse import csr_array

from lohrec.data.examples import Examples


def users_items(train: Examples, items: int) -> csr_array:
    """Which items each user has in the training sequences.

    Args:
        train: the train split.
        items: of the catalogue.

    Returns:
        M, int32 (users, items), 1 where a user of the train split interacted with an item up to the
        last train target: dev and test items are not in it. Its rows end with the last such user.
    """
    # Every train interaction is a target, or the first of its user's sequence.
    place, row = np.unique(np.concatenate([train.start, train.stop]), return_index=True)
    user, item = np.tile(train.user, 2)[row], np.asarray(train.sequences)[place]
    shape = int(user.max(initial=-1)) + 1, items
    had = csr_array((np.ones(len(item), np.int32), (user, item)), shape=shape)
    had.data[:] = 1  # an item that a user has twice counts once
    return had


def cooccurrences(train: Examples, items: int) -> csr_array:
    """How many users have each pair of items in their training sequences (Appendix B.2).

    Returns:
        A = M^T M with a zero diagonal, int32 (items, items); see `users_items` for M.
    """
    had = users_items(train, items)
    pairs = csr_array(had.T @ had)
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    return pairs
