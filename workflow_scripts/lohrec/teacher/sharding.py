"""Folds and shards of users: whose examples a teacher learns, and whose a job computes (3.2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lohrec.common import disk
from lohrec.common.artefacts import whole
from lohrec.data.examples import Examples

SETTINGS = {
    "folds": {
        "type": "integer", "minimum": 1, "default": 1,
        "description": (
            "Above 1: so many more teachers, each without its fold of the users, for whose "
            "examples it writes candidates and probabilities."
        ),
    },
    "shards": {
        "type": "integer", "minimum": 1, "default": 1,
        "description": "Jobs a fold that do so, side by side on CPU cores or a cluster.",
    },
}  # fmt: skip


def shard(examples: Examples, number: int, folds: int, shards: int) -> tuple[np.ndarray, Examples]:
    """Rows and examples of one shard; each fold has `shards` of them, so all have one teacher.

    Shard n holds users of fold n % folds.
    """
    rows = np.flatnonzero(examples.user % (folds * shards) == number)
    return rows, examples.take(rows)


def gather(
    examples: Examples, shards: Sequence[str | Path], path: str | Path, sharding: dict[str, Any]
) -> None:
    """Write one array, a row an example, from arrays with a row for each example of a shard.

    Args:
        shards: .npy files in order.
        path: .npy to write.
        sharding: settings `folds` and `shards`.

    Raises:
        ValueError: a shard's array has another number of rows.
    """
    first = np.load(shards[0], mmap_mode="r")
    shape = (len(examples), *first.shape[1:])
    with whole(path) as temporary:
        out = disk.new_array(temporary, first.dtype, shape)
        for number, name in enumerate(shards):
            part = np.load(name, mmap_mode="r")
            rows, _ = shard(examples, number, sharding["folds"], sharding["shards"])
            if len(part) != len(rows):
                raise ValueError(
                    f"{name} has {len(part)} rows for {len(rows)} examples; it comes from other "
                    "data: delete it and make it again."
                )
            for low in range(0, len(rows), 65536):
                out[rows[low : low + 65536]] = part[low : low + 65536]
        out.flush()
