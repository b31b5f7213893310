"""What the recommender learns from: histories, targets, candidates and teacher probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from lohrec.common import gradients
from lohrec.data.examples import Examples, epoch
from lohrec.identifiers.codewords import LEVELS, PAD, token_table


def history_tokens(examples: Examples, rows: np.ndarray, table: np.ndarray) -> Tensor:
    """Histories of `rows` as tokens, int64 (rows, 4 * longest history)."""
    items = examples.histories(rows)
    return torch.from_numpy(table[items].reshape(len(rows), -1))


def thinned(history: Tensor, row: Tensor, length: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Histories without a share of their items, drawn at random; the first of a row stays.

    Args:
        history: int64 tokens (rows, tokens), PAD on the right.
        row: int64 (examples,), each example's row, of which its history is a prefix.
        length: int64 (examples,), tokens of each example's history.
        share: of the items that are left out.

    Returns:
        the histories, and the lengths of the examples' in them.
    """
    items = history.unflatten(1, (-1, LEVELS))
    kept = (torch.rand(items.shape[:2]) >= share) & (items[..., 0] != PAD)
    kept[:, 0] = True
    before = (~kept).int().argsort(dim=1, stable=True)
    items = items.take_along_dim(before.unsqueeze(-1), 1)
    empty = torch.arange(items.shape[1]) >= kept.sum(1, keepdim=True)
    left = kept.cumsum(1)[row, length // LEVELS - 1]
    return items.masked_fill(empty.unsqueeze(-1), PAD).flatten(1), left * LEVELS


@dataclass(frozen=True)
class Batch(gradients.Batch):
    """Examples of one step.

    Attributes:
        history: int64 tokens (rows, length); a row is one example, or with shared rows the longest
            history of several examples, the others being its prefixes.
        padded: whether `history` holds PAD.
        row: int64 (batch,), each example's row; None where a row is one example.
        length: int64 (batch,), tokens of each example's history.
        candidates: int64 codewords (batch, candidates, levels); the target is the first, and what
            is missing repeats it.
        real: bool (batch, candidates).
        teacher: float (batch, levels, codewords) probabilities, or None.
    """

    history: Tensor
    padded: bool
    row: Tensor | None
    length: Tensor
    candidates: Tensor
    real: Tensor
    teacher: Tensor | None

    def uniform(self) -> "Batch":
        """One shape, one value of `padded`: what counts as holding PAD need not."""
        return replace(self, padded=True)


@dataclass(frozen=True)
class TrainingData:
    """The train split with what the variant needs.

    Attributes:
        examples: train examples.
        ids: int (items, levels).
        prior: int32 (examples, candidates) items from the best on, target first, -1 for missing;
            or None.
        teacher: float16 (examples, levels, codewords), possibly memory-mapped; or None.
        shared: histories that start alike share a row, for a causal encoder.
        labels: int (examples,), items to learn in place of the targets; or None.
        taught: bool (examples,), which examples have the teacher's probabilities, the others having
            none at all; or None, all have them.
        dropped: share of the items that a batch's histories are without; others each time.
        files: paths of the attributes that were read, for messages.

    Raises:
        ValueError: an attribute is of other train examples.
    """

    examples: Examples
    ids: np.ndarray
    prior: np.ndarray | None = None
    teacher: np.ndarray | None = None
    shared: bool = False
    labels: np.ndarray | None = None
    taught: np.ndarray | None = None
    dropped: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("prior", "teacher", "labels", "taught"):
            array = getattr(self, name)
            if array is not None and len(array) != len(self.examples):
                own, examples = (self.files.get(n, "in memory") for n in (name, "examples"))
                raise ValueError(
                    f"The {name} has {len(array)} rows ({own}) for {len(self.examples)} train "
                    f"examples ({examples}); they come from different runs: delete the older file "
                    "and run again."
                )

    @cached_property
    def _table(self) -> np.ndarray:
        return token_table(self.ids)

    def epoch(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """See `examples.epoch`."""
        return epoch(self.examples, self.shared, size, rng)

    def batch(self, rows: np.ndarray) -> Batch:
        """The examples `rows`; sorted first, so that memory maps are read in order."""
        rows = np.sort(rows)
        number, longest = np.arange(len(rows)), rows
        if self.shared:
            number, longest = self.examples.shared_rows(rows)
        row = torch.from_numpy(number)
        length = torch.from_numpy(self.examples.length[rows] * LEVELS)
        history = history_tokens(self.examples, longest, self._table)
        of_rows = self.examples.length[longest]
        padded = bool(of_rows.min() < of_rows.max())
        if self.dropped:
            (history, length), padded = thinned(history, row, length, self.dropped), True
        target = np.asarray(self.examples.sequences[self.examples.stop[rows]])
        if self.labels is not None:
            target = self.labels[rows]
        item = target[:, None] if self.prior is None else self.prior[rows]
        real = item >= 0
        item = np.where(real, item, target[:, None])
        teacher = None
        if self.teacher is not None:
            given = np.asarray(self.teacher[rows])
            given = given if self.taught is None else given * self.taught[rows, None, None]
            teacher = torch.from_numpy(given)
        return Batch(
            history,
            padded,
            row if self.shared else None,
            length,
            torch.from_numpy(self.ids[item].astype(np.int64)),
            torch.from_numpy(real),
            teacher,
        )
