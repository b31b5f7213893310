"""Lists for tests of figures and tables."""

import numpy as np

from lohrec.evaluation import ranked_lists


def alike(users: int) -> ranked_lists.RankedLists:
    """Of each user the items 0 to 19 of 100, in this order."""
    return ranked_lists.from_arrays(
        np.repeat(np.arange(users), 20),
        np.tile(np.arange(1, 21), users),
        np.tile(np.arange(20), users),
        np.arange(users),
        100,
    )
