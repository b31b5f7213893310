"""Codewords as a model reads them: the token of each, and its name `<a_0>` .. `<d_255>`."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a plan is made without PyTorch
    from torch import Tensor

LEVELS, CODES = 4, 256
# Where codewords are all that a model reads, padding is the token after them.
PAD = LEVELS * CODES
# What stands in place of a codeword: there is no such beam, or it has no codeword of the level.
NO_BEAM, OTHER_LEVEL, WORD = -1, -2, -3
# Level by level, so that codeword c of level d is token first + d * CODES + c.
CODEWORDS = [
    f"<{letter}_{code}>" for letter in string.ascii_lowercase[:LEVELS] for code in range(CODES)
]


def normalised(codewords: str) -> int:
    """How many codewords a distribution has room for: those of all levels ("all"), or a level's.

    With "legal", those of a level that no item has after the prefix get nothing.
    """
    return LEVELS * CODES if codewords == "all" else CODES


def filled(ids: np.ndarray) -> np.ndarray:
    """Identifiers with the codeword 0 at the levels that they lack, int16 (items, LEVELS).

    After any prefix it is then the only one that goes on, so nothing is to be chosen there.

    Args:
        ids: int (items, levels), at most LEVELS.
    """
    return np.pad(ids.astype(np.int16), ((0, 0), (0, LEVELS - ids.shape[1])))


def token_table(ids: np.ndarray) -> np.ndarray:
    """Tokens of every item, int64 (items + 1, levels); the last row is padding (item -1).

    Codeword c of level d is token d * CODES + c.

    Raises:
        ValueError: identifiers do not have 4 codewords.
    """
    if ids.shape[1] != LEVELS:
        raise ValueError(f"Models read identifiers of {LEVELS} codewords, not {ids.shape}.")
    table = np.full((len(ids) + 1, LEVELS), PAD, dtype=np.int64)
    table[:-1] = ids + np.arange(LEVELS) * CODES
    return table


def tokens(ids: Tensor) -> Tensor:
    """Token of each codeword: identifiers (..., levels) -> int64 of the same shape."""
    # Nothing is copied from the host: CUDA graphs hold this, and a copy would make them wait.
    first = ids.long().new_full((ids.shape[-1],), CODES).cumsum(0) - CODES
    return ids.long() + first


def names(ids: np.ndarray) -> list[list[str]]:
    """The codewords' names of identifiers, int (items, levels), at most LEVELS."""
    first = np.arange(ids.shape[1]) * CODES
    return [[CODEWORDS[token] for token in row] for row in (ids + first).tolist()]


def written(ids: np.ndarray) -> list[str]:
    """Identifiers, int (items, levels), as text: `<a_1><b_2><c_3><d_4>`."""
    return ["".join(row) for row in names(ids)]
