"""Files of tables as frames of texts, a column a role, read by polars as far as it can."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from lohrec.data import layout as layouts
from lohrec.data import object_files, raw_lines, recipes
from lohrec.data.layout import Layout

# Endings, before one of .gz, of what is no text with separators.
FORMATS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
SEPARATORS = (",", "\t", ";", "|", "::")
NO_BYTE = "\x1f"  # in no text: lines are one field
WIDTH = 200  # characters kept of a line that cannot be used

TEXTS = pl.String()
# What damaged files lead to. A panic of polars is no Exception.
MEND = "Mend the line; a field that holds a quote must double it and be in quotes."
DAMAGED = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException),
    *(UnicodeDecodeError, OSError),
)


class Table(NamedTuple):
    """A part of a table.

    Attributes:
        frame: columns `part` (file from 0), `line` (from 1; rows of a Parquet file), one of texts
            a role, `fault` (the reason why a line cannot be used, else null) and `text` (of such a
            line).
        mended: what was mended, by kind.
        said: what the files were taken for.
    """

    frame: pl.LazyFrame
    mended: Counter[str]
    said: dict[str, Any]


def read(paths: Sequence[Path], of: Layout) -> Table:
    """Open the files of a part.

    Raises:
        FileNotFoundError: one is not there.
        ValueError: one cannot be read, or is laid out in another way than the first or the recipe.
    """
    for path in paths:
        check_is_there(path)
    (kind,) = kinds if len(kinds := {kind_of(path, of) for path in paths}) == 1 else (None,)
    if kind is None:
        raise ValueError(
            f"{paths[0].parent} has parts in several formats: {', '.join(sorted(kinds))}. Keep one."
        )
    mended: Counter[str] = Counter()
    said: dict[str, Any] = {"format": kind}
    frames, names = [], None
    folder = paths[0] if len(paths) == 1 else paths[0].parent
    noted = {role: object_files.Names(folder, role) for role in ("user", "item")}
    for number, path in enumerate(paths):
        if kind == "text":
            frame, here = _text(path, of, mended, said)
        elif kind == "parquet":
            frame, here = _parquet(path, of)
        else:
            frame, here = object_files.frame(path, of, kind, mended, noted)
        if names is not None and names != here:
            raise ValueError(
                f"{path} has other columns than {paths[0]}: {here} instead of {names}. Keep parts "
                "of one layout in a folder."
            )
        names = here
        frames.append(frame.with_columns(part=pl.lit(number)))
    for one in noted.values():
        one.check()
    said["columns"] = names
    return Table(pl.concat(frames), mended, said)


def collected(frame: pl.LazyFrame, path: Path) -> pl.DataFrame:
    """The rows of a frame of the table at `path`.

    Raises:
        ValueError: a file is damaged, or its quotes do not match.
    """
    with _refused(path, MEND):
        return frame.collect()


@contextmanager
def _refused(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        said = " ".join(str(error).split("\n")[0].split())[:WIDTH]
        raise ValueError(f"{path} cannot be read: {said}. {remedy}") from error


def check_is_there(path: Path) -> None:
    """FileNotFoundError, unless a file is."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}. Put the table there.")


def kind_of(path: Path, of: Layout) -> str:
    """The format of a file, by the recipe or by its name."""
    return of.format or FORMATS.get(Path(path.name.removesuffix(".gz")).suffix.lower(), "text")


def _text(
    path: Path, of: Layout, mended: Counter[str], said: dict[str, Any]
) -> tuple[pl.LazyFrame, dict[str, str]]:
    raw_lines.check(path)  # polars holds the file
    sample = raw_lines.first_lines(path, of.encoding, mended)
    if not any(line.strip() for line in sample):
        raise ValueError(f"{path} is empty. Put a table there.")
    separator = of.separator or _separator(path, sample, of)
    rows = _rows(sample, separator, of.quote)
    columns = layouts.find(path, rows, of)
    width = len(rows[0])
    said |= {"separator": separator, "header": columns.header}
    # Recoded as a whole, because polars reads UTF-8 alone.
    source = path if of.encoding.lower() in ("utf-8", "utf8") else _recoded(path, of.encoding)
    fields = [f"c{n}" for n in range(width)]
    several = len(separator) > 1
    if several:
        frame = _scan(source, NO_BYTE, None, ["whole"])
        parts = pl.col("whole").str.split(separator)
        got = [parts.list.get(n, null_on_oob=True).alias(name) for n, name in enumerate(fields)]
        rest = parts.list.get(width, null_on_oob=True).alias("rest")
        frame = frame.with_columns(*got, rest)
    else:
        frame = _scan(source, separator, of.quote, fields)
    if columns.header:
        first = next(n for n, line in enumerate(sample, 1) if line.strip())
        frame = frame.filter(pl.col("line") > first)
    frame = frame.filter(pl.any_horizontal(pl.col(fields).is_not_null()))
    fault = pl.when(pl.col("rest").is_not_null()).then(pl.lit("too_many_fields"))
    written = [pl.col(field).fill_null("") for field in fields]
    line = pl.concat_str([*written, "rest"], separator=separator, ignore_nulls=True)
    roles = [pl.col(f"c{n}").alias(role) for role, n in columns.places.items()]
    frame = frame.select("line", *roles, fault=fault, text=line.str.slice(0, WIDTH))
    names = rows[0] if columns.header else [f"column {n + 1}" for n in range(width)]
    return frame, {role: names[n].strip() for role, n in columns.places.items()}


def _scan(source: Path | bytes, separator: str, quote: str | None, fields: list[str]) -> Any:
    """All fields of a text as texts; `rest` has what a line holds beyond them."""
    return pl.scan_csv(
        source,
        glob=False,
        has_header=False,
        separator=separator,
        quote_char=quote,
        schema=dict.fromkeys([*fields, "rest"], TEXTS),
        truncate_ragged_lines=True,
        missing_columns="insert",
        encoding="utf8-lossy",
        row_index_name="line",
        row_index_offset=1,
    )


def _parquet(path: Path, of: Layout) -> tuple[pl.LazyFrame, dict[str, str]]:
    # Not by polars: a damaged file ends its process, without an error that could be caught.
    with _refused(path, "It is no Parquet file, or a damaged one: write it again."):
        file = parquet.ParquetFile(path)
    # One value that is repeated takes no room in the file, and eight bytes or more here.
    cells = file.metadata.num_rows * file.metadata.num_columns
    raw_lines.check_ratio(path, 8 * cells, path.stat().st_size)
    with _refused(path, "It is no Parquet file, or a damaged one: write it again."):
        begin = islice(file.iter_batches(layouts.SHOWN), 1)
        first = _frame(pa.Table.from_batches(begin, file.schema_arrow))
    schema = first.schema
    head = [list(map(str, row)) for row in first.rows()]
    columns = layouts.find(path, [schema.names(), *head], of, named=True)
    roles = {role: schema.names()[n] for role, n in columns.places.items()}
    for role, name in roles.items():
        kind = schema[name]
        names = role in ("user", "item") and (kind.is_float() or kind.is_nested())
        moments = role == "time" and (kind.is_nested() or kind in (pl.Duration, pl.Time))
        if names or moments:
            raise ValueError(
                f"{path}: the {role} is in {name}, whose type is {kind}. Write "
                f"{'texts' if names else 'dates'} or whole numbers."
            )
    texts = [_as_text(name, schema[name]).alias(role) for role, name in roles.items()]
    none = pl.lit(None, TEXTS)
    with _refused(path, "It is a damaged Parquet file: write it again."):
        frame = _frame(file.read(list(dict.fromkeys(roles.values())))).lazy()
    frame = frame.with_row_index("line", 1).select("line", *texts, fault=none, text=none)
    return frame, roles


def _frame(table: pa.Table) -> pl.DataFrame:
    table.validate(full=True)  # polars takes for granted that texts are UTF-8
    return pl.DataFrame(table)


def _as_text(name: str, kind: Any) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.List):
        return column.cast(pl.List(TEXTS))
    if kind == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if kind == pl.Datetime:
        zone = getattr(kind, "time_zone", None)
        column = column.dt.convert_time_zone("UTC") if zone else column
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    return column.cast(TEXTS)


def _recoded(path: Path, encoding: str) -> bytes:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except (UnicodeDecodeError, LookupError) as error:
        raise ValueError(
            f"{path} is not in {encoding} ({error}). Set sources.table.encoding."
        ) from error


def _rows(lines: Sequence[str], separator: str, quote: str | None) -> list[list[str]]:
    """The whole rows in a file's first lines; one in quotes may go over several."""
    filled = [line for line in lines if line.strip()]
    if len(separator) > 1 or not quote:
        return [line.split(separator) for line in filled]
    plain = [line.replace("\r", " ") + "\n" for line in filled]  # within a field, csv refuses it
    rows = csv.reader([*plain, NO_BYTE], delimiter=separator)
    return list(rows)[:-1]  # that mark, or a row with it, whose end is further down


def _separator(path: Path, sample: list[str], of: Layout) -> str:
    """The separator that makes as many fields of nearly every line.

    Raises:
        ValueError: none does, or several do and the file's name prefers none.
    """
    filled = [line for line in sample if line.strip()]
    fit = []
    for one in SEPARATORS:
        widths = [len(row) for row in _rows(filled, one, of.quote)]
        if widths and widths[0] > 1 and widths.count(widths[0]) >= 0.8 * len(widths):
            fit.append(one)
    preferred = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t"}
    by_name = preferred.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if "::" in fit:
        return "::"
    if by_name in fit:
        return str(by_name)
    if len(fit) == 1:
        return fit[0]
    shown = "\n".join(
        f"  {number}: {raw_lines.printable(line)[:WIDTH]}"
        for number, line in enumerate(filled[: layouts.SHOWN], 1)
    )
    alike = recipes.resembling(filled[:1])
    raise ValueError(
        f"{path}: what stands between the fields is not clear; {fit or 'nothing known'} would do. "
        f"Its first lines:\n{shown}\n"
        + (f"It looks like {alike}. " if alike else "")
        + "Set sources.table.separator."
    )
