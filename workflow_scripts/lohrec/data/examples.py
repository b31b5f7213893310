"""Examples: a history and its target as a window of the flat array of all users' sequences."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lohrec.common.artefacts import read_split

ROWS = 8  # batches of more rows have a multiple of this


@dataclass(frozen=True)
class Examples:
    """Examples of one split; example i reads sequences[start[i] : stop[i]] -> sequences[stop[i]].

    Attributes:
        sequences: int32 (interactions,), item codes, user by user in order of time.
        user: int32 (examples,).
        start: int64 (examples,), first item of the history.
        stop: int64 (examples,), the target's place, one past the history.
    """

    sequences: np.ndarray
    user: np.ndarray
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def length(self) -> npt.NDArray[np.int64]:
        """Items in each history, int64 (examples,)."""
        return self.stop - self.start

    @property
    def target(self) -> np.ndarray:
        """Target items, int32 (examples,)."""
        return np.asarray(self.sequences[self.stop])

    def aligned(self) -> "Examples":
        """The same examples with fewer places where histories begin, for causal training.

        A causal model encodes all prefixes of a window at once, but the histories of a user longer
        than the longest history begin at a new item each. Here they begin only at every so many of
        the user's items, half of the longest history apart, and lose fewer than that many of their
        oldest items.
        """
        stride = max(1, int(self.length.max(initial=1)) // 2)
        _, user = np.unique(self.user, return_inverse=True)
        first = np.full(user.max(initial=-1) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, user, self.start)
        first = first[user]
        return replace(self, start=first + -(-(self.start - first) // stride) * stride)

    def take(self, rows: np.ndarray) -> "Examples":
        """The examples `rows`, in their order."""
        return replace(self, user=self.user[rows], start=self.start[rows], stop=self.stop[rows])

    def sample(self, most: int) -> "Examples":
        """At most so many of the examples, always the same ones."""
        rng = np.random.default_rng(0)
        return self.take(rng.choice(len(self), min(most, len(self)), replace=False))

    def without_fold(self, fold: int, folds: int) -> "Examples":
        """The examples of all users but those of one fold, who are every so many.

        Raises:
            ValueError: no users are left.
        """
        rows = np.flatnonzero(self.user % folds != fold)
        if not len(rows):
            raise ValueError(f"No users are left without fold {fold} of {folds}; use more folds.")
        return self.take(rows)

    def of_fold(self, fold: int, folds: int) -> "Examples":
        """The examples of the users whom `without_fold` leaves out.

        Raises:
            ValueError: there are none.
        """
        rows = np.flatnonzero(self.user % folds == fold)
        if not len(rows):
            raise ValueError(f"Fold {fold} of {folds} has no users; lower folds of the row.")
        return self.take(rows)

    def shared_rows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Histories that start alike, as the prefixes of the longest of them.

        Args:
            rows: sorted.

        Returns:
            for each of `rows` the number of its longest history, and the examples of these.
        """
        new = np.diff(self.start[rows], prepend=-1) > 0
        longest = rows[np.append(np.flatnonzero(new)[1:] - 1, len(rows) - 1)]
        return new.cumsum() - 1, longest

    def histories(self, rows: np.ndarray) -> np.ndarray:
        """Histories of `rows` as int32 (rows, longest), padded with -1 on the right."""
        length = self.length[rows]
        offset = np.arange(length.max(initial=1))
        real = offset < length[:, None]
        place = np.where(real, self.start[rows, None] + offset, 0)
        return np.where(real, self.sequences[place], -1).astype(np.int32)


def read_examples(sequences: str | Path, examples: str | Path, split: str) -> Examples:
    """Read one split ("train", "dev" or "test").

    Raises:
        ValueError: the split has no examples.
    """
    table = read_split(examples, split)
    if not len(table):
        raise ValueError(f"{examples} has no examples of the split {split!r}.")
    return Examples(
        np.load(sequences, mmap_mode="r"),
        table["user"].to_numpy(),
        table["start"].to_numpy(),
        table["stop"].to_numpy(),
    )


def epoch(
    examples: Examples, shared: bool, size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """One epoch of batches of about `size` examples, shuffled and almost without padding.

    Args:
        shared: histories that start alike share a row.
    """
    if shared:
        return shared_batches(examples, size, rng)
    return length_batches(examples.length, size, rng)


def shared_batches(examples: Examples, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch of batches of whole users: histories that start alike are prefixes of one row.

    Rows are shuffled, sorted by length (stable), cut where about `size` examples are full, after a
    multiple of `ROWS` rows where there are as many, and the batches are shuffled. A CPU prepares a
    product for each shape that it meets, which takes longer than the product: so shapes are few.
    """
    first = np.flatnonzero(np.diff(examples.start, prepend=-1))
    count = np.diff(first, append=len(examples))
    longest = examples.length[first + count - 1]
    order = rng.permutation(len(first))
    order = order[np.argsort(longest[order], kind="stable")]
    # Example indices row by row, in the new order of rows.
    end = count[order].cumsum()
    index = np.arange(end[-1]) + np.repeat(first[order] - (end - count[order]), count[order])
    size = max(size, count.max())
    cuts = np.searchsorted(end, np.arange(size, end[-1], size)) + 1
    rounded = cuts // ROWS * ROWS
    cuts = np.where(np.diff(rounded, prepend=0) > 0, rounded, cuts)
    batches = np.split(index, end[np.unique(cuts[cuts < len(end)]) - 1])
    return [batches[i] for i in rng.permutation(len(batches))]


def length_batches(length: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch of batches whose histories are of equal length, but for a few at the seams.

    Examples are shuffled, sorted by length (stable), cut into batches of `size`, and the batches
    are shuffled. A last, smaller batch is left out, so that shapes stay few.
    """
    order = rng.permutation(len(length))
    order = order[np.argsort(length[order], kind="stable")]
    # Drop what does not fill a batch at a random place, not always among the longest.
    surplus = len(order) % size if len(order) >= size else 0
    if surplus:
        keep = np.ones(len(order), dtype=bool)
        keep[rng.choice(len(order), surplus, replace=False)] = False
        order = order[keep]
    batches = np.split(order, range(size, len(order), size))
    return [batches[i] for i in rng.permutation(len(batches))]


def first_items(last: np.ndarray) -> np.ndarray:
    """Where each user's items begin in the flat array of all users' items, (users,).

    Args:
        last: (users,), where they end: the places of all test targets.
    """
    return np.append(0, np.sort(last)[:-1] + 1)
