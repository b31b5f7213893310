"""Lists for many users: in batches of like history length, without what a user has had."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common.job_log import progress
from lohrec.identifiers.prefix_tree import PrefixTree

# From the numbers of some users, and the leaves (users, n) that their lists may not hold or None,
# to their leaves and scores, each (users, ranks).
Search = Callable[[np.ndarray, Tensor | None], tuple[Tensor, Tensor]]


def best_leaves(
    search: Search,
    items: np.ndarray,
    length: np.ndarray,
    tree: PrefixTree,
    decoding: Mapping[str, Any],
    description: str,
) -> tuple[Tensor, Tensor]:
    """The lists of all users, in their order.

    Args:
        search: finds the lists of a batch of users; they are cut to `top`.
        items: int (users, longest), histories, the oldest item first; -1 on the right is padding.
        length: int (users,), items of each history.
        tree: numbers the leaves, and decides the device.
        decoding: top, batch_size and exclude_history: whether an identifier is left out that is of
            no other items than the history's.
        description: of the progress.

    Returns:
        leaf (users, top) int64, -1 where a list ends, and score (users, top), -inf there; both on
        the CPU.

    Raises:
        ValueError: a history is empty.
    """
    empty = np.flatnonzero(length < 1)
    if len(empty):
        raise ValueError(f"The history of user {empty[0]} is empty.")
    top, size = decoding["top"], decoding["batch_size"]
    leaves = torch.full((len(length), top), -1)
    scores = torch.full((len(length), top), -torch.inf)
    # Users of equal history length go together, so that little is padded.
    order = np.argsort(length, kind="stable")
    batches = [order[low : low + size] for low in range(0, len(order), size)]
    for users in progress(batches, description, unit="batch"):
        excluded = None
        if decoding["exclude_history"]:
            history = torch.from_numpy(items[users, : length[users].max()])
            excluded = tree.used_up(history.long().to(tree.item.device))
        leaf, score = search(users, excluded)
        width = min(top, leaf.shape[1])
        leaves[users, :width] = leaf[:, :width].cpu()
        scores[users, :width] = score[:, :width].cpu()
    return leaves, scores
