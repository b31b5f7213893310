"""Files of lists, by the ending of their name: Parquet, CSV, JSON lines. Whole, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TextIO

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lohrec.common.artefacts import whole
from lohrec.recommender.lists import Lists, Ranked

SCHEMA = pa.schema(
    {
        "user": pa.string(),
        "rank": pa.int32(),
        "item": pa.string(),
        "title": pa.string(),
        "score": pa.float32(),
    }
)
Write = Callable[[list[str], Lists], None]


@contextmanager
def opened(path: str, titles: list[str], stdout: TextIO) -> Iterator[Write]:
    """A function that appends lists of some users to the file `path`.

    Args:
        path: "-" is CSV to standard output, as it comes.
        titles: of all items, by number.
        stdout: standard output.

    Raises:
        ValueError: the name has no ending that tells the format.
    """
    if path == "-":
        yield _csv(stdout.buffer, titles)
        return
    check(path)
    with whole(path) as temporary, open(temporary, "wb") as file:
        if path.endswith(".parquet"):
            with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
                yield lambda users, lists: writer.write_table(table(users, lists, titles))
        else:
            yield (_csv if path.endswith(".csv") else _json_lines)(file, titles)


def check(path: str) -> None:
    """ValueError where the ending of a name tells no format."""
    if path != "-" and not path.endswith((".parquet", ".csv", ".jsonl")):
        raise ValueError(f"{path}: name the output *.parquet, *.csv or *.jsonl.")


def table(users: list[str], lists: Lists, titles: list[str]) -> pa.Table:
    """Rows of lists, user by user and rank by rank; items that share an identifier share a rank.

    Args:
        users: their names.
    """
    rows = _cut(lists)
    columns = [
        [users[number] for number in rows.user],
        rows.rank.astype(np.int32),
        [lists.names[number] for number in rows.item],
        [titles[number] for number in rows.item],
        rows.score.astype(np.float32),
    ]
    return pa.table(columns, schema=SCHEMA)


def _cut(lists: Lists) -> Ranked:
    """At most `top` rows a user, though the last rank may have more."""
    rows = lists.rows
    first = np.searchsorted(rows.user, np.arange(len(lists)))
    kept = np.arange(len(rows.user)) - first[rows.user] < lists.top
    return Ranked(*(column[kept] for column in rows))


def _csv(file: IO[bytes], titles: list[str]) -> Write:
    file.write((",".join(SCHEMA.names) + "\n").encode())

    def write(users: list[str], lists: Lists) -> None:
        frame = pl.from_arrow(table(users, lists, titles))
        assert isinstance(frame, pl.DataFrame)
        # Not by polars into the file: its error would not tell that whoever read had enough.
        file.write(frame.write_csv(include_header=False).encode())

    return write


def _json_lines(file: IO[bytes], titles: list[str]) -> Write:
    def write(users: list[str], lists: Lists) -> None:
        rows = table(users, lists, titles).drop_columns("user").to_pylist()
        ends = np.searchsorted(_cut(lists).user, np.arange(len(users) + 1)).tolist()
        for place, user in enumerate(users):
            line = {
                "user": user,
                "items": rows[ends[place] : ends[place + 1]],
                "unknown": int(lists.unknown[place]),
                "cold": bool(lists.cold[place]),
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    return write
