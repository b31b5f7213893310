"""Leave-one-out examples over the users' sequences (Section 4.1)."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from lohrec.common.artefacts import read_json

SETTINGS = {
    "history": {
        "type": "integer", "minimum": 1, "default": 20,
        "description": "Most items of a history.",
    },
}  # fmt: skip

SPLITS = ("train", "dev", "test")
SHORTEST = 3


def leave_one_out(user: np.ndarray, history: int) -> pa.Table:
    """Cut the flat array of all sequences into examples: windows of a history and its target.

    Of a user's items 0 .. n-1 the train targets are 1 .. n-3, the dev target is n-2 and the test
    target n-1; the history is the `history` items before the target, or all there are.

    Args:
        user: codes 0 .. users-1 (interactions,), in blocks of rising code.
        history: longest history, in items.

    Returns:
        Columns split (dictionary of strings), user int32, start int64, stop int64, ordered by
        train, dev, test, then user, then stop. An example reads sequences[start:stop] and has the
        target sequences[stop].

    Raises:
        ValueError: users are out of order, one has fewer than 3 items, or none has more.
    """
    if (np.diff(user) < 0).any():
        raise ValueError("Interactions are not sorted by user. Make them with an ingest rule.")
    length = np.bincount(user)
    short = np.flatnonzero(length < SHORTEST)
    if len(short):
        raise ValueError(
            f"{len(short)} users have fewer than {SHORTEST} items, which leave-one-out needs: user "
            f"{short[0]} has {length[short[0]]}. Remove them from the source."
        )
    if not (length > SHORTEST).any():
        raise ValueError(
            f"No user has more than {SHORTEST} items, so nothing is left to train on. Use a source "
            "with longer sequences."
        )
    first = np.repeat(np.cumsum(length) - length, length)
    stop = np.arange(len(user))
    later = first + np.repeat(length, length) - 1 - stop  # items after this one
    split = np.select([later == 0, later == 1], [2, 1], 0)
    rows = np.flatnonzero(stop > first)
    rows = rows[np.argsort(split[rows], kind="stable")]
    return pa.table(
        {
            "split": pa.DictionaryArray.from_arrays(split[rows].astype(np.int8), SPLITS),
            "user": user[rows].astype(np.int32),
            "start": np.maximum(first[rows], stop[rows] - history),
            "stop": stop[rows],
        }
    )


def leaves_out(exclude_history: bool | str, statistics: str | Path) -> bool:
    """Whether lists leave out the items of a history.

    Args:
        exclude_history: whether they do, or "auto": where no user of the data has an item twice.
        statistics: statistics.json of the dataset.
    """
    if exclude_history == "auto":
        return bool(read_json(statistics)["repeats"] == 0)
    return bool(exclude_history)
