"""The one table that every recommender fills and the evaluation reads."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lohrec.common.artefacts import write_tables

# By whether the lists of dev and test leave out the items of a user's history: what the lists for
# the same test users are called that do it the other way.
OTHER = {True: "test_kept", False: "test_left_out"}


def table(
    split: str, user: np.ndarray, rank: np.ndarray, item: np.ndarray, score: np.ndarray
) -> pa.Table:
    """Rows of ranked lists; items that share an identifier share its rank.

    Args:
        split: "dev", "test", or one of `OTHER`.
        user, rank, item, score: (rows,), ranks count from 1. An empty list is one row with rank 1
            and item -1.
    """
    return pa.table(
        {
            "split": pa.array([split] * len(user), pa.string()).dictionary_encode(),
            "user": np.asarray(user, dtype=np.int32),
            "rank": np.asarray(rank, dtype=np.int16),
            "item": np.asarray(item, dtype=np.int32),
            "score": np.asarray(score, dtype=np.float32),
        }
    )


def write(path: str | Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of lists, one after another, as one Parquet file."""
    write_tables(path, tables)


def splits(path: str | Path) -> list[str]:
    """The splits of a table of lists, or of users' figures, in its order.

    Raises:
        ValueError: a row has none.
    """
    column = pq.read_table(path, columns=["split"])["split"]
    if column.null_count:
        raise ValueError(f"{path} has empty cells; every row needs split, user, rank and item.")
    names: list[str] = column.unify_dictionaries().unique().cast("string").to_pylist()
    return names


def excludes_history(splits: Collection[str]) -> bool:
    """Whether dev and test lists leave out the items of a history, by the splits of a table.

    Raises:
        ValueError: nothing tells.
    """
    for excluded, other in OTHER.items():
        if other in splits:
            return excluded
    raise ValueError(f"There is no split {' or '.join(OTHER.values())}; recommend again.")


def own_items(split: str, result: Mapping[str, Any]) -> str:
    """What the lists of a split do with the items of a user's history: "left out" or "kept".

    Args:
        result: with `exclude_history`, whether dev and test lists leave them out.
    """
    left_out = result["exclude_history"] ^ (split in OTHER.values())
    return "left out" if left_out else "kept"
