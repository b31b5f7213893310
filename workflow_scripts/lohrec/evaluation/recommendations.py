"""The one table that every method writes and the evaluation reads."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lohrec.common.artefacts import write_parquet
from lohrec.identifiers.prefix_tree import PrefixTree


def from_leaves(
    split: str,
    user: np.ndarray,
    leaf: Tensor,
    score: Tensor,
    tree: PrefixTree,
    excluded: np.ndarray | None = None,
) -> pa.Table:
    """The table of ranked identifiers; items that share an identifier share its rank.

    Args:
        split: "dev" or "test".
        user: int (users,).
        leaf: int (users, ranks), leaves of the prefix tree from the best on; -1 where a list ends.
        score: float (users, ranks).
        tree: the prefix tree that numbers the leaves.
        excluded: int (users, n), items that no list may hold; -1 is none. An identifier all of
            whose items are excluded must not be among the leaves (`PrefixTree.used_up`).

    Returns:
        pyarrow.Table (split, user, rank, item, score), by user and rank.
    """
    leaf, score = leaf.cpu(), score.cpu()
    real = leaf >= 0
    low = tree.item_first.cpu()[leaf.clamp(min=0)].long()
    count = (tree.item_first.cpu()[leaf.clamp(min=0) + 1].long() - low).where(real, 0).flatten()
    row = torch.arange(len(count)).repeat_interleave(count)
    offset = torch.arange(len(row)) - (count.cumsum(0) - count)[row]
    item = tree.item.cpu()[low.flatten()[row] + offset]
    ranks = leaf.shape[1]
    if excluded is not None:
        allowed = ~(excluded[(row // ranks).numpy()] == item.numpy()[:, None]).any(1)
        row, item = row[allowed], item[allowed]
    return _table(
        split,
        np.asarray(user)[(row // ranks).numpy()],
        (row % ranks + 1).numpy(),
        item.numpy(),
        score.flatten()[row].numpy(),
    )


def from_items(split: str, user: np.ndarray, item: np.ndarray, score: np.ndarray) -> pa.Table:
    """The table of ranked items (users, ranks); item -1 where a list ends."""
    row, column = np.nonzero(item >= 0)
    return _table(split, np.asarray(user)[row], column + 1, item[row, column], score[row, column])


def write(path: str | Path, tables: list[pa.Table]) -> None:
    """Write the splits' tables as one Parquet file."""
    write_parquet(path, pa.concat_tables(tables).unify_dictionaries())


def _table(
    split: str, user: np.ndarray, rank: np.ndarray, item: np.ndarray, score: np.ndarray
) -> pa.Table:
    return pa.table(
        {
            "split": pa.array([split] * len(user), pa.string()).dictionary_encode(),
            "user": np.asarray(user, dtype=np.int32),
            "rank": np.asarray(rank, dtype=np.int16),
            "item": np.asarray(item, dtype=np.int32),
            "score": np.asarray(score, dtype=np.float32),
        }
    )
