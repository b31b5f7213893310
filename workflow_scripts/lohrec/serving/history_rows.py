"""Rows of histories as files have them: comma- or tab-separated, JSON lines, Parquet."""

import csv
import gzip
import io
import math
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lohrec.common import job_log
from lohrec.data.layout import known_as
from lohrec.data.raw_lines import LONGEST
from lohrec.data.table_files import NO_BYTE, SEPARATORS

REMEDY = (
    "Say which is which: --columns user=NAME,item=NAME,time=NAME, or by position, as in "
    "user=1,item=2,time=4, where no row has names."
)
NEEDED = "Histories need the columns user and item, and time unless the oldest row comes first"


class Row(NamedTuple):
    """A user chose an item.

    Attributes:
        user, item: names; no item where a user has no history.
        time: in any unit; None where the order of the rows is that of time.
    """

    user: str
    item: str | None
    time: int | float | None


Columns = Mapping[str, str | int]  # {role: a name, or a position from 1 where no row has names}


def read(source: str | Path, columns: Columns | None = None) -> Iterator[Row]:
    """The rows of a file, or of standard input where `source` is "-"; gzip or not.

    JSON lines have `user`, `item` and `time`, or `user` and all of its `items`, the oldest first.

    Args:
        columns: what holds user, item and time, where it is not what such columns usually are
            called (`layout.NAMES`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read as histories; the message names the line.
    """
    columns = columns or {}
    if str(source) == "-":
        yield from _text(sys.stdin.buffer, "standard input", columns)
        return
    if not Path(source).exists() or Path(source).is_dir():  # a pipe will do
        raise FileNotFoundError(f"There is no file {source} to read histories from.")
    if Path(source).suffix == ".parquet":
        yield from _parquet(Path(source), columns)
        return
    with open(source, "rb") as file:
        yield from _text(file, str(source), columns)


def _text(file: IO[bytes], name: str, columns: Columns) -> Iterator[Row]:
    buffered = io.BufferedReader(file)  # type: ignore[type-var] # any stream of bytes will do
    packed = buffered.peek(2)[:2] == b"\x1f\x8b"
    binary = gzip.GzipFile(fileobj=buffered) if packed else buffered
    lines = _lines(io.TextIOWrapper(binary, encoding="utf-8-sig", newline=""), name)
    try:
        first = next(lines, "")
        if not first.strip():
            raise ValueError(f"{name} holds no histories: its first line is empty.")
        if first.lstrip().startswith("{"):
            yield from _json_lines(chain([first], lines), name, columns)
        else:
            yield from _separated(first, lines, name, columns)
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8. Convert it first.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is broken gzip: {error}. Fetch it again.") from None


def _lines(file: IO[str], name: str) -> Iterator[str]:
    for number, line in enumerate(iter(partial(file.readline, LONGEST + 1), ""), 1):
        if len(line) > LONGEST:
            raise ValueError(
                f"{name}, line {number}: it is longer than {LONGEST:,} characters, so it holds no "
                "history. Write line ends, or take the right file."
            )
        yield line


def _separated(first: str, lines: Iterable[str], name: str, columns: Columns) -> Iterator[Row]:
    # A tab is in few names; of what else separates, whatever the first line has most of.
    delimiter = "\t" if "\t" in first else max(SEPARATORS, key=first.count)
    if len(delimiter) > 1:  # the reader takes one character
        first, lines = first.replace(delimiter, NO_BYTE), _replaced(lines, delimiter)
        delimiter = NO_BYTE
    named = not any(isinstance(place, int) for place in columns.values())
    reader = csv.reader(lines if named else chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
        places, rows = _places(header, name, columns), Rows()
        for cells in reader:
            if not cells:
                continue
            where = f"{name}, line {reader.line_num + named}"
            if len(cells) != len(header):
                raise ValueError(
                    f"{where}: {len(cells)} fields, where the first line has {len(header)}. Put "
                    "fields that hold the separator into double quotes."
                )
            user, item, time = (None if p is None else cells[p] for p in places)
            yield rows.row(user, item, time, where)
    except csv.Error as error:
        raise ValueError(
            f"{name}, line {max(1, reader.line_num + named)}: {error}. Close all double quotes, "
            "write one inside a field twice, or take the right file."
        ) from None


def _replaced(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    return (line.replace(delimiter, NO_BYTE) for line in lines)


def _json_lines(lines: Iterable[str], name: str, columns: Columns) -> Iterator[Row]:
    rows, keys, same = Rows(), dict[str, str](), list[str]()
    for number, line in enumerate(lines, 1):
        where = f"{name}, line {number}"
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{where}: no JSON ({error}).") from None
        names = list(record) if isinstance(record, dict) else []
        keys = keys or {role: names[n] for role, n in _found(names, where, columns).items()}
        if "user" not in keys or not ("item" in keys or "items" in names):
            raise ValueError(
                f'{where}: an object needs "user" and "items", or "user" and "item"; it has: '
                f"{', '.join(names)}. {REMEDY}"
            )
        if names != same:
            late = [n for n in names if known_as(n, "time") and "time" not in keys]
            if late and same:
                raise ValueError(
                    f"{where}: {late[0]} may be the time, and the first line has none. Write it in "
                    "every line, or say which it is: --columns time=NAME."
                )
            same = names
        user = record.get(keys["user"])
        if "items" not in names:
            time = record.get(keys["time"]) if "time" in keys else None
            yield rows.row(user, record.get(keys["item"]), time, where)
            continue
        if not isinstance(record["items"], list):
            raise ValueError(f"{where}: items are a list, not {record['items']!r}.")
        if not record["items"]:
            yield Row(_name(user, "user", where), None, None)
        for item in record["items"]:
            yield rows.row(user, item, None, where)


def _parquet(path: Path, columns: Columns) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from None
    rows, number = Rows(), 0
    with file:
        names = file.schema_arrow.names
        places = [None if p is None else names[p] for p in _places(names, str(path), columns)]
        for batch in file.iter_batches(8192, columns=[name for name in places if name]):
            none = [None] * len(batch)
            values = [none if n is None else _plain(batch[n], n, path) for n in places[:2]]
            values.append(none if places[2] is None else _plain(batch[places[2]], None, path))
            for user, item, time in zip(*values, strict=True):
                number += 1
                yield rows.row(user, item, time, f"{path}, row {number}")


def _plain(column: pa.Array, name: str | None, path: Path) -> list[Any]:
    """The values of a column of names, or of times where `name` is None; dates as microseconds."""
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if name is not None and pa.types.is_floating(column.type):
        raise ValueError(
            f"{path}: the column {name} holds {column.type}; names are texts or whole numbers. "
            "Write it as text."
        )
    values: list[Any] = column.to_pylist()
    return values


def _places(header: list[str], name: str, columns: Columns) -> list[int | None]:
    """Where user, item and time stand."""
    found = _found(header, name, columns)
    if not {"user", "item"} <= found.keys():
        raise ValueError(f"{NEEDED}; {name} has: {', '.join(header)}. {REMEDY}")
    return [found.get(role) for role in Row._fields]


def _found(names: list[str], where: str, columns: Columns) -> dict[str, int]:
    """{role: place from 0} of the columns that are said, or known by their names."""
    places = {}
    by_position = any(isinstance(place, int) for place in columns.values())
    for role in Row._fields:
        place = columns.get(role, role if role in names else None)
        if isinstance(place, int) and 1 <= place <= len(names):
            found = [place - 1]
        elif place is not None:
            if place not in names:
                said = f"there is no column {place!r} for the {role}"
                raise ValueError(f"{where}: {said}; there is: {', '.join(names)}.")
            found = [names.index(str(place))]
        else:
            alike = (n for n, name in enumerate(names) if known_as(name, role))
            found = [] if by_position else list(alike)
        if len(found) > 1:
            several = ", ".join(names[n] for n in found)
            raise ValueError(f"{where}: the {role} may be any of {several}. {REMEDY}")
        if found:
            places[role] = found[0]
    others = [name for n, name in enumerate(names) if n not in places.values()]
    if {"user", "item"} <= places.keys() and "time" not in places and others:
        job_log.warn(
            f"{where}: none of {', '.join(others)} is known to be the time, so the oldest row of a "
            "user comes first. If one is, say --columns time=NAME."
        )
    return places


class Rows:
    """Rows of one file, whose times are all of one kind."""

    kind: str | None = None

    def row(self, user: Any, item: Any, time: Any, where: str) -> Row:
        """A row whose values have been looked at; `where` it stands."""
        kind, value = _time(time, where)
        if self.kind not in (None, kind):
            raise ValueError(
                f"{where}: {kind} as the time, where the rows before have {self.kind}. "
                "Write all times in one way."
            )
        self.kind = kind
        return Row(_name(user, "user", where), _name(item, "item", where), value)


def _name(value: Any, kind: str, where: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {kind} is {value!r}, and neither a text nor a whole number.")
    name = value.replace("\0", "").strip()  # as names of tables are read
    if not name:
        raise ValueError(f"{where}: {kind} is empty.")
    return name


def _time(value: Any, where: str) -> tuple[str, int | float | None]:
    """The kind of a time, and its number; whole numbers stay whole, however long."""
    if value is None:
        return "nothing", None
    value = value.strip() if isinstance(value, str) else value
    for number in (int, float):
        try:
            # A float is no whole number, and a truth value none at all.
            read = number(value) if isinstance(value, str) else value + 0
            if math.isfinite(read) and abs(read) < 2**63 and not isinstance(value, bool):
                return "a number", read
        except (TypeError, ValueError, OverflowError):
            continue
    try:
        date = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: time is {value!r}, and neither a number nor a date such as 2024-05-31."
        ) from None
    return "a date", (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
