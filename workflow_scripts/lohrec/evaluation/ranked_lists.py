"""Ranked lists: the one table that every recommender writes, checked when it is read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lohrec.common.artefacts import read_split

COLUMNS = ["split", "user", "rank", "item"]


@dataclass(frozen=True)
class RankedLists:
    """Lists of one split, user by user, each in order of rank.

    Items that share an identifier share its rank. Places count items, from 1: a tied group takes
    the places first .. first + ties - 1 in an order that nothing decides.

    Attributes:
        user: (users,), rising.
        offset: int64 (users + 1,); rows offset[u] : offset[u + 1] are the list of user[u].
        item: (rows,), item codes.
        rank: (rows,), the identifier's rank, from 1.
        first: int64 (rows,), the first place of the row's group.
        ties: int64 (rows,), rows in the group; 1 without a tie.
    """

    user: np.ndarray
    offset: np.ndarray
    item: np.ndarray
    rank: np.ndarray
    first: np.ndarray
    ties: np.ndarray

    @property
    def row(self) -> np.ndarray:
        """The index into `user` of each row, int64 (rows,)."""
        return np.repeat(np.arange(len(self.user)), np.diff(self.offset))

    def padded(self, keep: np.ndarray) -> np.ndarray:
        """Items of the rows in `keep` (bool, rows) as (users, longest), padded with -1."""
        row = self.row[keep]
        length = np.bincount(row, minlength=len(self.user))
        column = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        items = np.full((len(self.user), length.max(initial=0)), -1, dtype=np.int64)
        items[row, column] = self.item[keep]
        return items


def read(path: str | Path, split: str, users: np.ndarray, items: int) -> RankedLists:
    """Read the lists of one split and check them.

    Args:
        path: recommendations.parquet, with at least the columns of `COLUMNS`.
        split: "dev", "test", or one of `recommendations.OTHER`.
        users: (users,), the users of the split; each must have a list, be it empty: one row with
            rank 1 and item -1.
        items: number of items; codes are 0 .. items - 1.

    Raises:
        ValueError: columns or values are missing, a user is without a list or not of the split,
            an item does not exist or stands twice in a list, ranks do not run 1, 2, 3 ...
    """
    missing = set(COLUMNS) - set(pq.read_schema(path).names)
    if missing:
        raise ValueError(f"{path} lacks the column(s) {', '.join(sorted(missing))}.")
    table = read_split(path, split, COLUMNS)
    if any(column.null_count for column in table.columns):
        raise ValueError(f"{path} has empty cells; every row needs split, user, rank and item.")
    user, rank, item = (table[name].to_numpy() for name in COLUMNS[1:])
    try:
        return from_arrays(user, rank, item, users, items)
    except ValueError as error:
        raise ValueError(f"{path}, split {split}: {error}") from error


def from_arrays(
    user: np.ndarray, rank: np.ndarray, item: np.ndarray, users: np.ndarray, items: int
) -> RankedLists:
    """The same for the columns of one split, rows in any order; see `read`."""
    user, rank, item = user.astype(np.int64), rank.astype(np.int64), item.astype(np.int64)
    empty, full = user[item == -1], item != -1
    user, rank, item = user[full], rank[full], item[full]
    # A rank has 16 bits, so one key sorts by (user, rank); stable, the file's order within ties.
    key = user * 2**17 + rank
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        user, rank, item = user[order], rank[order], item[order]
    new_list = np.append(True, user[1:] != user[:-1])[: len(user)]
    listed = np.union1d(user, empty)

    without = np.setdiff1d(users, listed)
    if len(without):
        raise ValueError(
            f"{len(without)} of {len(users)} users have no recommendations "
            f"(the first: user {without[0]}). Recommend to every user of the split."
        )
    strangers = np.setdiff1d(listed, users)
    if len(strangers):
        raise ValueError(
            f"{len(strangers)} users with recommendations are not of this split "
            f"(the first: user {strangers[0]})."
        )
    wrong = (item < 0) | (item >= items)
    if wrong.any():
        raise ValueError(
            f"{wrong.sum()} rows name no item: codes must lie within 0..{items - 1}, "
            f"user {user[wrong][0]} has {item[wrong][0]}."
        )
    if len(both := np.intersect1d(user, empty)):
        raise ValueError(f"the list of user {both[0]} holds items, and is said to hold nothing.")
    pair = np.sort(user * items + item)
    twice = pair[1:][pair[1:] == pair[:-1]]
    if len(twice):
        raise ValueError(
            f"{len(twice)} rows repeat an item within one list: user {twice[0] // items} has item "
            f"{twice[0] % items} more than once."
        )
    step = np.diff(rank, prepend=0)
    bad = np.where(new_list, rank != 1, step > 1)
    if bad.any():
        raise ValueError(
            f"ranks must run 1, 2, 3 ... in every list (tied items share one); "
            f"user {user[bad][0]} has rank {rank[bad][0]} out of turn."
        )

    offset = np.append(np.searchsorted(user, listed), len(user))
    new_group = np.flatnonzero(new_list | (step != 0))
    ties = np.diff(np.append(new_group, len(user)))
    first = np.repeat(new_group, ties) - np.repeat(offset[:-1], np.diff(offset)) + 1
    return RankedLists(listed, offset, item, rank, first, np.repeat(ties, ties))
