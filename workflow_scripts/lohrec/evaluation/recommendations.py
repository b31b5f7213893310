"""The one table that every recommender fills and the evaluation reads."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from lohrec.common.artefacts import write_parquet


def table(
    split: str, user: np.ndarray, rank: np.ndarray, item: np.ndarray, score: np.ndarray
) -> pa.Table:
    """Rows of ranked lists; items that share an identifier share its rank.

    Args:
        split: "dev" or "test".
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


def write(path: str | Path, tables: list[pa.Table]) -> None:
    """Write the splits' tables as one Parquet file."""
    write_parquet(path, pa.concat_tables(tables).unify_dictionaries())
