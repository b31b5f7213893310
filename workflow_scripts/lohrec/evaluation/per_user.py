"""The table of every user's figures: split, user, then one column a metric."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from lohrec.common.artefacts import read_split


def table(split: str, user: np.ndarray, figures: dict[str, np.ndarray]) -> pa.Table:
    """One split's rows; `figures` is {"recall@5": (users,), ...}."""
    return pa.table(
        {
            "split": pa.DictionaryArray.from_arrays(np.zeros(len(user), dtype=np.int8), [split]),
            "user": user.astype(np.int32),
            **figures,
        }
    )


def read(paths: Sequence[str | Path], split: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read one split of the tables of a variant's seeds.

    Returns:
        The users (users,), rising, and {"recall@5": float64 (seeds, users), ...}.

    Raises:
        ValueError: the split is empty, or the seeds differ in users or metrics.
    """
    users = np.empty(0, dtype=np.int32)
    seeds: list[dict[str, np.ndarray]] = []
    for path in paths:
        rows = read_split(path, split).sort_by("user")
        user = rows["user"].to_numpy()
        figures = {
            name: rows[name].to_numpy()
            for name in rows.column_names
            if name not in ("split", "user")
        }
        if not len(user):
            raise ValueError(f"{path} has no users of the split {split!r}.")
        if seeds and not (np.array_equal(user, users) and figures.keys() == seeds[0].keys()):
            raise ValueError(
                f"{path} and {paths[0]} differ in users or metrics; evaluate all seeds again."
            )
        users = user
        seeds.append(figures)
    return users, {name: np.stack([figures[name] for figures in seeds]) for name in seeds[0]}
