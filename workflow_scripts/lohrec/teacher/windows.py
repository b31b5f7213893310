"""Windows: rows of items in which a causal model reads many examples at once (Section 4.2)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lohrec.data.examples import Examples


@dataclass(frozen=True)
class Windows:
    """Rows of items that serve many examples at once, for a causal model reads each prefix once.

    Example i has the first place[i] items of row[i] as its history and the next as its target.

    Attributes:
        sequences: int32 items, user by user.
        start: int64 (windows,), first item of each.
        length: int64 (windows,), items of the longest history in each; the target comes after.
        row: int64 (examples,).
        place: int64 (examples,).
    """

    sequences: np.ndarray
    start: np.ndarray
    length: np.ndarray
    row: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, examples: Examples) -> "Windows":
        """Windows of the examples; those that begin at the same item share one."""
        start, row = np.unique(examples.start, return_inverse=True)
        place = examples.length
        length = np.zeros(len(start), dtype=np.int64)
        np.maximum.at(length, row, place)
        return cls(examples.sequences, start, length, row, place)

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def _by_row(self) -> tuple[np.ndarray, np.ndarray]:
        """Examples in the order of their windows, and where each window's begin."""
        order = np.argsort(self.row, kind="stable")
        return order, np.searchsorted(self.row[order], np.arange(len(self) + 1))

    def examples_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All examples of the windows `rows`, and for each the number of its window in `rows`."""
        order, first = self._by_row
        count = first[rows + 1] - first[rows]
        row = np.repeat(np.arange(len(rows)), count)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return order[first[rows][row] + offset], row

    def batches(self, examples: int, rng: np.random.Generator | None = None) -> list[np.ndarray]:
        """All windows in batches of like length, each with about `examples` examples.

        With `rng` the windows of one length and the batches come in random order; without it the
        longest come first, so that memory that does not suffice is told of at once.
        """
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        order = order[np.argsort(self.length[order], kind="stable")]
        if not len(order):
            return []
        count = np.bincount(self.row, minlength=len(self))[order]
        # Cut by examples, not windows, so that those of short users weigh no more than others.
        number = (np.cumsum(count) - 1) // examples
        parts = np.split(order, np.flatnonzero(np.diff(number)) + 1)
        return parts[::-1] if rng is None else [parts[i] for i in rng.permutation(len(parts))]

    def items(self, rows: np.ndarray, targets: bool) -> np.ndarray:
        """Items of windows, int32 (rows, longest), -1 on the right; with or without the target."""
        length = self.length[rows] + targets
        offset = np.arange(length.max(initial=1))
        real = offset < length[:, None]
        place = np.where(real, self.start[rows, None] + offset, 0)
        return np.where(real, self.sequences[place], -1).astype(np.int32)
