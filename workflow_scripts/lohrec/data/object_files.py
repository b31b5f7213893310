"""Files of JSON objects, or of literals of Python, as records and as frames of texts."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lohrec.common import job_log
from lohrec.data import layout as layouts
from lohrec.data import raw_lines, recipes
from lohrec.data.layout import Layout

LOOK = 100  # objects by which the keys of a file are known
BATCH = 2**17  # objects held at a time as Python's own
WIDTH = 200  # characters kept of a line that cannot be used
WHOLE = 2**30  # bytes of a file that is one object, which takes ten times as much memory

TEXTS = pl.String()
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # or one of two, which are a character


class Names:
    """Names that JSON has as numbers or as texts of digits, to tell whether one is both.

    Args:
        what: they name.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = path, what
        self.numbers: set[int] = set()
        self.texts: set[str] = set()

    def add(self, name: Any) -> None:
        """Note a name, if it is of digits."""
        if type(name) is int:
            self.numbers.add(name)
        elif type(name) is str and name.isdecimal():
            self.texts.add(name)

    def check(self) -> None:
        """Refuse names that would be made one.

        Raises:
            ValueError: there are some.
        """
        if both := sorted({str(number) for number in self.numbers} & self.texts):
            raise ValueError(
                f'{self.path}: {self.what} is {both[0]} in some places and "{both[0]}" in others, '
                f"and {len(both):,} such would each be made one. Write all as texts, or all as "
                "numbers."
            )


def records(
    path: Path, of: Layout, kind: str, keys: dict[str, str], mended: Counter[str]
) -> Iterator[tuple[int, dict[str, Any] | str, bytes]]:
    """Number from 1, object or the reason why there is none, and line, of every line.

    Args:
        kind: json or python.
        keys: {role: key}; none of them may be twice in an object of JSON.
    """
    once = [f'"{key}"'.encode() for key in keys.values()]
    for number, line in enumerate(raw_lines.lines(path, of.part, mended), 1):
        if kind == "python":
            yield number, raw_lines.python_object(line), line
        else:
            yield number, raw_lines.json_object(line, once, mended), line


def keys_of(path: Path, of: Layout, kind: str) -> dict[str, str]:
    """{role: key}, by the first objects of a file.

    Raises:
        ValueError: there are none, or it is not clear which key is which.
    """
    keys: dict[str, None] = {}
    found = []
    for _, record, _ in itertools.islice(records(path, of, kind, {}, Counter()), LOOK):
        if isinstance(record, dict):
            keys |= dict.fromkeys(record)
            found.append(record)
    if not found:
        sample = raw_lines.first_lines(path)[: layouts.SHOWN]
        if not any(line.strip() for line in sample):
            raise ValueError(f"{path} is empty. Put a file with an object a line there.")
        shown = [f"  {number}: {line[:WIDTH]}" for number, line in enumerate(sample, 1)]
        what = "literal of Python" if kind == "python" else "JSON object"
        alike = recipes.resembling(sample)
        end = f"It looks like {alike}." if alike else "Write an object a line."
        raise ValueError("\n".join([f"{path} has no {what} in its first lines:", *shown, end]))
    rows = [[str(record.get(key))[:30] for key in keys] for record in found[: layouts.SHOWN]]
    columns = layouts.find(path, [list(keys), *rows], of, named=True)
    # What none of the first has, a later one may have.
    said = {role: key for role, key in of.columns.items() if isinstance(key, str)}
    return said | {role: list(keys)[n] for role, n in columns.places.items()}


def frame(
    path: Path, of: Layout, kind: str, mended: Counter[str], names: Mapping[str, Names]
) -> tuple[pl.LazyFrame, dict[str, str]]:
    """Columns `line`, one of texts a role, `fault`, `text` (`table_files.Table`); and {role: key}.

    A batch of objects at a time moves into polars' columns.

    Args:
        names: {role: where its names are noted}, those of user and item.
    """
    keys = keys_of(path, of, kind)
    schema = {"line": pl.UInt32(), **dict.fromkeys(keys, TEXTS), "fault": TEXTS, "text": TEXTS}
    frames, rows = [], []
    noted = [(key, names[role]) for role, key in keys.items() if role in names]
    for number, record, line in records(path, of, kind, keys, mended):
        fault, values = _values(record, keys)
        if isinstance(record, dict):
            for key, seen in noted:
                seen.add(record.get(key))
        if isinstance(record, dict) and "time" in keys:  # polars mends it; here it is counted
            raw_lines.whole_number(record.get(keys["time"]), "times", mended)
        if fault != "blank":
            text = line[:WIDTH].decode(errors="replace") if fault else None
            rows.append((number, *values, fault, text))
        if len(rows) == BATCH:
            frames.append(pl.DataFrame(rows, schema, orient="row"))
            rows = []
    frames.append(pl.DataFrame(rows, schema, orient="row"))
    return pl.concat(frames).lazy(), keys


def only(paths: Sequence[Path]) -> Path:
    """The one file of a layout that has no parts.

    Raises:
        ValueError: there are several.
    """
    if len(paths) > 1:
        raise ValueError(
            f"{paths[0].parent} has {len(paths)} files, and LC-Rec's layout is one. Name that file."
        )
    return paths[0]


def whole_object(path: Path) -> dict[str, Any]:
    """The object of a file that is one JSON object, in which no name is twice.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such object.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}. Put LC-Rec's file there, or correct its path."
        )
    if (size := path.stat().st_size) > WHOLE:
        raise ValueError(
            f"{path} has {size:,} bytes, and one JSON object of more than {WHOLE:,} would take all "
            "memory. Write a line an interaction, which source: table reads."
        )
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(name for name, n in Counter(key for key, _ in pairs).items() if n > 1)
        return found

    try:
        text = path.read_bytes().decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=look)
    except (ValueError, RecursionError) as error:
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty. Make or fetch it again.") from error
        raise ValueError(f"{path} is no JSON: {error}. Make or fetch it again.") from error
    if twice:
        raise ValueError(f"{path} has names twice: {', '.join(twice[:5])}. Keep one of each.")
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{path} is no JSON object. Use a file in LC-Rec's layout.")
    return _without_halves(value, path) if _ESCAPED_HALF.search(text) else value


def _without_halves(value: dict[str, Any], path: Path) -> dict[str, Any]:
    mended: Counter[str] = Counter()
    whole: dict[str, Any] = raw_lines.whole(value, mended)
    if len(whole) < len(value):
        raise ValueError(f"{path}: without halves of characters, names are there twice. Mend them.")
    if halves := mended["halves_of_characters"]:
        job_log.warn(f"{path}: {halves:,} halves of characters are left out of names and texts")
    return whole


def _values(
    record: dict[str, Any] | str, keys: dict[str, str]
) -> tuple[str | None, list[str | None]]:
    """The reason why an object cannot be used, or None; and the texts of its roles."""
    if isinstance(record, str):
        return record, [None] * len(keys)
    fault = None
    texts: list[str | None] = []
    for role, key in keys.items():
        value = record.get(key)
        plain = value is None or type(value) in (str, int)
        # A name that is a number with a fraction is none; a time may be.
        if not plain and not (type(value) is float and role in ("time", "rating")):
            fault = fault or f"wrong_type_{key}"
            value = None
        texts.append(None if value is None else str(value))
    return fault, texts
