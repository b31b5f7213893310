"""New items as files have them: name, title, description."""

import codecs
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from lohrec.data import raw_lines, table_files
from lohrec.data.catalogue import Catalogue
from lohrec.data.item_texts import item_text
from lohrec.data.layout import known_as

COLUMNS = ("item", "title", "description")


class NewItem(NamedTuple):
    """An item to add; title and description are cleaned, and may be empty."""

    name: str
    title: str
    description: str


def read(path: str | Path, columns: Mapping[str, str] | None = None) -> list[NewItem]:
    """The items of a CSV, TSV, Parquet or JSON lines file with the columns `COLUMNS`, gzip or not.

    Columns with other usual names are found (`layout.NAMES`). Titles and descriptions are cleaned
    as those of a dataset.

    Args:
        columns: {one of `COLUMNS`: what it is called here}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such columns, no items, or an item without a name or with two rows.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} to read items from.")
    items = []
    for number, record in enumerate(_records(path, columns or {}), 1):
        where, name = f"{path}, item {number}", record["item"]
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        name = name.replace("\0", "").strip() if isinstance(name, str) else name
        if not isinstance(name, str) or not name:
            raise ValueError(f"{where}: item is {name!r}; it must be a name.")
        try:
            text = item_text({kind: record[kind] for kind in ("title", "description")})
        except TypeError as error:
            raise ValueError(
                f"{where}: {error} is neither text nor number nor a list of them."
            ) from None
        items.append(NewItem(name, text.title, text.description))
    if not items:
        raise ValueError(f"{path} holds no items.")
    name, count = Counter(item.name for item in items).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{path} has {count} rows of {name!r}. Leave one.")
    return items


def check_new(items: Iterable[NewItem], catalogue: Catalogue) -> None:
    """ValueError where a catalogue has some of the items already."""
    known = [item.name for item in items if item.name in catalogue.number]
    if known:
        raise ValueError(
            f"{len(known):,} items are known already, {known[0]!r} first. Leave them out: what is "
            "there does not move."
        )


def _records(path: Path, columns: Mapping[str, str]) -> list[Mapping[str, Any]]:
    kind = Path(path.name.removesuffix(".gz")).suffix
    try:
        if kind != ".parquet":
            raw_lines.check(path)  # what follows holds the file
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        if kind == ".jsonl":
            records = _objects(content, path)
            names = {name for record in records for name in record}
        elif kind == ".parquet":
            # Not by polars: a damaged file ends its process, without an error that could be caught.
            table = parquet.read_table(io.BytesIO(content))
            table.validate(full=True)
            names, records = set(table.column_names), table.to_pylist()
        elif kind in (".csv", ".tsv"):
            separator = "\t" if kind == ".tsv" else ","
            frame = pl.read_csv(content, separator=separator, infer_schema=False)
            names, records = set(frame.columns), frame.to_dicts()
        else:
            raise ValueError(f"{path}: name it *.csv, *.tsv, *.parquet or *.jsonl.")
    except pl.exceptions.PolarsError as error:
        said = str(error).split("\n")[0].rstrip(".")  # what follows is advice on polars' arguments
        raise ValueError(f"{path} cannot be read: {said}. {table_files.MEND}") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    called = {role: name for role in COLUMNS if (name := _called(role, names, path, columns))}
    if "item" not in called or len(called) < 2:
        raise ValueError(
            f"{path} has {', '.join(sorted(names)) or 'nothing'}. New items need the column item, "
            "and title or description or both, because their identifiers are made of texts. "
            "Say which is which: --columns item=NAME,title=NAME,description=NAME."
        )
    return [{role: record.get(called.get(role, "")) for role in COLUMNS} for record in records]


def _objects(content: bytes, path: Path) -> list[dict[str, Any]]:
    """The objects of lines of JSON."""
    records = []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(
                f"{path} cannot be read: line {number}, column {error.colno}: {error.msg}. Mend "
                "the line; each must be an object."
            ) from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {number}: each line must be an object.")
        records.append(record)
    return records


def _called(role: str, names: set[str], path: Path, columns: Mapping[str, str]) -> str | None:
    """The name of the column that has what `role` says; None where there is none."""
    if role in columns:
        if columns[role] not in names:
            raise ValueError(
                f"{path} has no column {columns[role]!r} for the {role}; there is: "
                f"{', '.join(sorted(names))}."
            )
        return columns[role]
    alike = [role] if role in names else sorted(name for name in names if known_as(name, role))
    if len(alike) > 1:
        raise ValueError(
            f"{path}: the {role} may be any of {', '.join(alike)}. Say which: "
            f"--columns {role}=NAME."
        )
    return alike[0] if alike else None
