"""Ranked lists of many users in columns: what every recommender returns."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lohrec.evaluation import recommendations
from lohrec.identifiers.prefix_tree import PrefixTree


class Ranked(NamedTuple):
    """Rows of lists, user by user and rank by rank.

    Attributes:
        user: int64 (rows,), the place of the user's history among those that were given.
        rank: int64 (rows,), from 1; items that share an identifier share a rank.
        item: int64 (rows,), item numbers.
        score: float32 (rows,), higher is better; comparable within one user's list.
    """

    user: np.ndarray
    rank: np.ndarray
    item: np.ndarray
    score: np.ndarray

    @classmethod
    def of_items(cls, item: np.ndarray, score: np.ndarray) -> "Ranked":
        """Rows of a table (users, ranks) of items, best first; -1 where a list ends."""
        user, place = np.nonzero(item >= 0)
        return cls(user, place + 1, item[user, place], score[user, place])

    @classmethod
    def of_leaves(
        cls, leaf: Tensor, score: Tensor, tree: PrefixTree, excluded: np.ndarray | None = None
    ) -> "Ranked":
        """Rows of identifiers (users, ranks), best first; items that share one share its rank.

        Args:
            leaf: int, leaves of the prefix tree; -1 where a list ends.
            score: float, the same shape.
            excluded: int (users, n), items that no list may hold; -1 is none. An identifier all of
                whose items are excluded must not be among the leaves (`PrefixTree.used_up`).
        """
        leaf, score, first = leaf.cpu(), score.cpu(), tree.item_first.cpu().long()
        low = first[leaf.clamp(min=0)]
        count = (first[leaf.clamp(min=0) + 1] - low).where(leaf >= 0, 0).flatten()
        row = torch.arange(len(count)).repeat_interleave(count)
        offset = torch.arange(len(row)) - (count.cumsum(0) - count)[row]
        item = tree.item.cpu().long()[low.flatten()[row] + offset].numpy()
        user, place = np.divmod(row.numpy(), leaf.shape[1])
        if excluded is not None:
            allowed = ~(excluded[user] == item[:, None]).any(1)
            row, item, user, place = row[allowed], item[allowed], user[allowed], place[allowed]
        return cls(user, place + 1, item, score.flatten()[row].numpy())

    def without(self, pairs: np.ndarray, items: int, top: int) -> "Ranked":
        """The rows but for pairs of user and item, ranked anew up to `top`.

        Args:
            pairs: int64 (pairs, 2).
            items: how many there are.
        """
        gone = np.isin(self.user * items + self.item, pairs[:, 0] * items + pairs[:, 1])
        user, rank, item, score = (column[~gone] for column in self)
        first = np.diff(user, prepend=-1) != 0
        group = np.cumsum(first | (np.diff(rank, prepend=0) != 0))
        starts = group[first]
        rank = group - starts[np.cumsum(first) - 1] + 1
        kept = rank <= top
        return Ranked(user[kept], rank[kept], item[kept], score[kept])


@dataclass(frozen=True)
class Lists:
    """The answer of `Recommender.recommend`: `lists[u]` is the list of the u-th history.

    Attributes:
        rows: all lists.
        users: how many histories were given.
        top: most items of a list.
        names: names of all items, by number.
        unknown: int64 (users,), items of each history that the recommender does not know.
        cold: bool (users,), histories without any known item; their lists are the most popular
            items of the train split, and their scores its counts.
    """

    rows: Ranked
    users: int
    top: int
    names: list[str]
    unknown: np.ndarray
    cold: np.ndarray

    def __len__(self) -> int:
        return self.users

    def __getitem__(self, user: int) -> list[tuple[str, float]]:
        """Names and scores of one user's list, best first; at most `top`."""
        if not 0 <= user < self.users:
            raise IndexError(f"There are {self.users} lists; there is no list {user}.")
        low, high = np.searchsorted(self.rows.user, [user, user + 1])
        part = slice(low, min(high, low + self.top))
        names = [self.names[item] for item in self.rows.item[part]]
        return list(zip(names, self.rows.score[part].tolist(), strict=True))

    def table(self, split: str, user: np.ndarray) -> pa.Table:
        """The table that the evaluation reads; `user` (users,) numbers the histories."""
        rows, empty = self.rows, np.setdiff1d(np.arange(self.users), self.rows.user)
        one, nothing = np.ones_like(empty), np.full(len(empty), -np.inf)
        columns = [(user[empty], user[rows.user]), (one, rows.rank), (-one, rows.item)]
        columns.append((nothing, rows.score))
        return recommendations.table(split, *map(np.concatenate, columns))
