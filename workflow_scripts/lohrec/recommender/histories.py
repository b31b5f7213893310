"""Histories as they are given, by names or by numbers, as arrays of known items."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from lohrec.data.catalogue import Catalogue

Given = np.ndarray | Iterable[Iterable[str | int]]


class Numbered(NamedTuple):
    """Histories by number.

    Attributes:
        items: int64 (users, longest), the last known items of each; -1 on the right.
        length: int64 (users,), how many these are.
        unknown: int64 (users,), items that are not known.
        older: int64 (pairs, 2), users and the known items that came before the last ones.
    """

    items: np.ndarray
    length: np.ndarray
    unknown: np.ndarray
    older: np.ndarray


def numbers(histories: Given, catalogue: Catalogue, most: int) -> Numbered:
    """The last known items of every history.

    Args:
        histories: see `Recommender.recommend`.
        catalogue: the known items.
        most: items that are kept of a history.

    Raises:
        TypeError: a history is no list of items, or an item is neither a name nor a number.
    """
    if isinstance(histories, np.ndarray) and histories.ndim == 2 and histories.dtype.kind in "iu":
        items = histories.astype(np.int64)
        length = (items >= 0).sum(1)
        on_the_left = np.arange(items.shape[1]) < length[:, None]
        known = (items < len(catalogue)).all() and (on_the_left == (items >= 0)).all()
        if known and items.shape[1] <= most:
            none = np.empty((0, 2), np.int64)
            return Numbered(items[:, : length.max(initial=0)], length, np.zeros_like(length), none)
    rows = [[_number(item, catalogue) for item in _items(row)] for row in histories]
    known_rows = [[item for item in row if item >= 0] for row in rows]
    kept = [row[-most:] for row in known_rows]
    length = np.array([len(row) for row in kept], dtype=np.int64)
    items = np.full((len(kept), length.max(initial=0)), -1, dtype=np.int64)
    for user, row in enumerate(kept):
        items[user, : len(row)] = row
    unknown = [sum(item < 0 for item in row) for row in rows]
    older = [(user, item) for user, row in enumerate(known_rows) for item in set(row[:-most])]
    return Numbered(
        items,
        length,
        np.array(unknown, dtype=np.int64),
        np.array(sorted(older), dtype=np.int64).reshape(-1, 2),
    )


def _items(row: Any) -> Iterable[Any]:
    if isinstance(row, str | bytes) or not isinstance(row, Iterable):
        raise TypeError(f"A history is a list of items, not {row!r}.")
    if isinstance(row, np.ndarray) and row.dtype.kind == "i":
        return row[row >= 0]  # -1 is padding
    return row


def _number(item: Any, catalogue: Catalogue) -> int:
    """The number of an item; -1 of one that is unknown."""
    if isinstance(item, str):
        return catalogue.number.get(item, -1)
    if isinstance(item, int | np.integer) and not isinstance(item, bool):
        return int(item) if 0 <= item < len(catalogue) else -1
    raise TypeError(f"An item is a name or a number, not {item!r}. Numbers are whole.")
