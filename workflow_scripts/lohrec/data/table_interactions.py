"""Interactions from a table in any layout: names as they are, times in one unit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from lohrec.common import job_log
from lohrec.data import layout as layouts
from lohrec.data import object_files, table_files, times
from lohrec.data.interactions import Interactions
from lohrec.data.layout import Layout
from lohrec.data.rejected import SHOWN, Rejected, numbered
from lohrec.data.table_files import TEXTS, Table

SAMPLE = 10_000  # names by which exchanged columns are known


def read(
    paths: Sequence[Path],
    of: Layout,
    unit: str | None,
    min_rating: float | None,
    until: str | None,
    most_rejected: float,
) -> tuple[Interactions, dict[str, Any]]:
    """Read interactions, and leave out what is rated too low or comes too late.

    Args:
        unit: of times that are numbers; None finds it.
        min_rating: lowest rating that counts; None takes all.
        until: ISO date, UTC; interactions from then on are left out.
        most_rejected: the largest share of lines that may be unusable.

    Returns:
        Interactions in the order of lines, and what was counted.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file cannot be read, it is not clear what it holds, or too much is unusable.
    """
    path = paths[0] if len(paths) == 1 else paths[0].parent
    sequences = table_files.kind_of(paths[0], of) == "sequences"
    table = _sequences(object_files.only(paths)) if sequences else table_files.read(paths, of)
    rated = "rating" in table.said["columns"]
    if min_rating is not None and not rated:
        raise ValueError(
            f"{path} has no column of ratings for sources.table.min_rating. Name it in "
            "sources.table.columns."
        )
    frame, mended = _judged(table, min_rating is not None, path)
    rejected = _rejected(frame, path, paths)
    good = frame.filter(pl.col("fault").is_null())
    if not len(frame):
        raise ValueError(f"{path} has no line below its header. Put the table there again.")
    if not len(good):
        raise ValueError(
            f"{path} has no usable line of {len(frame):,} ({rejected.counts()}); taken for: "
            f"{table.said}. Name the columns in sources.table.columns; times are numbers, or dates "
            f"such as 2024-05-31 or 2024-05-31T09:30.\n{rejected.shown()}"
        )
    rejected.check(len(frame), most_rejected)
    if said := rejected.summary(len(frame)):
        job_log.warn(said)
    _check_exchanged(good, of, path)
    time = _times(good, of, unit, path)
    if rated and not unit and time.unit == "order":
        _check_ratings(good, path)
    kept = np.ones(len(good), dtype=bool)
    left_out = {}
    if min_rating is not None:
        low = good["stars"].to_numpy() < min_rating
        left_out["below_min_rating"] = int(low.sum())
        kept &= ~low
    if until is not None:
        late = time.value >= times.since_1970(until, time.unit)
        left_out["from_until_on"] = int((late & kept).sum())
        kept &= ~late
    if not kept.any():
        raise ValueError(
            f"{path}: sources.table.min_rating ({min_rating}) and until ({until}) leave none of "
            f"{len(good):,} interactions ({left_out}; times are {time.said}). Change them."
        )
    counted = {
        "lines": len(frame),
        "rejected": rejected.counts(),
        "mended": dict(sorted((+mended).items())),
        "taken_for": table.said | {"time": time.said},
        "left_out": left_out,
    }
    return _interactions(good, time.value).where(kept), counted


def _judged(table: Table, rated: bool, path: Path) -> tuple[pl.DataFrame, Counter[str]]:
    """The rows with names and times made plain, and the reason why a row cannot be used."""
    roles = [role for role in ("user", "item", "time", "rating") if role in table.said["columns"]]
    plain = {
        role: pl.col(role).str.replace_all("\0", "", literal=True).str.strip_chars()
        for role in roles
    }
    frame = table.frame.with_columns(
        nul=pl.any_horizontal(pl.col(one).str.contains("\0", literal=True) for one in plain),
        spaces=pl.any_horizontal(pl.col(n) != pl.col(n).str.strip_chars() for n in plain),
    ).with_columns(**plain)
    stars = pl.col("rating").cast(pl.Float64, strict=False) if rated else pl.lit(None, pl.Float64)
    stars = pl.when(stars.is_finite()).then(stars)
    frame = frame.with_columns(**times.columns(pl.col("time")), stars=stars)
    no_time = pl.all_horizontal(pl.col(n).is_null() for n in ("whole", "number", "date"))
    faults = {
        **{f"missing_{n}": pl.col(n).fill_null("") == "" for n in ("user", "item", "time")},
        "not_utf8": pl.any_horizontal(pl.col(n).str.contains("\ufffd") for n in ("user", "item")),
        "no_time": no_time,
        "no_rating": pl.lit(rated) & pl.col("stars").is_null(),
    }
    fault = pl.coalesce(
        "fault", *(pl.when(wrong).then(pl.lit(name)) for name, wrong in faults.items())
    )
    text = pl.when(pl.col("fault").is_not_null()).then("text")
    judged = table_files.collected(frame.with_columns(fault=fault).with_columns(text=text), path)
    mended = Counter(table.mended)
    for name in ("nul", "spaces"):
        mended[f"lines_with_{name}"] += int(judged[name].fill_null(False).sum())
    return judged, mended


def _rejected(frame: pl.DataFrame, path: Path, paths: Sequence[Path]) -> Rejected:
    bad = frame.filter(pl.col("fault").is_not_null())
    rejected = Rejected(path)
    for part, line, fault, text in bad.head(SHOWN).select("part", "line", "fault", "text").rows():
        rejected.add(fault, numbered(paths, part, line), text or "")
    for fault, count in bad[SHOWN:].group_by("fault").len().rows():
        rejected.reasons[fault] += count
    return rejected


def _check_exchanged(good: pl.DataFrame, of: Layout, path: Path) -> None:
    users, items = (good[name][:SAMPLE].to_list() for name in ("user", "item"))
    if of.items_look_like and layouts.exchanged(users, items, of.items_look_like):
        raise ValueError(
            f"{path}: users look like items and items do not ({users[0]}, {items[0]}), so recipe "
            f"{of.recipe} is not that of this file."
        )


def _check_ratings(good: pl.DataFrame, path: Path) -> None:
    """Refuse ratings that are times, where times are too small to be any."""
    lowest = good["rating"].cast(pl.Float64, strict=False).min()
    if isinstance(lowest, float) and lowest >= times.FIRST:
        row = good.row(0, named=True)
        raise ValueError(
            f"{path}: what is taken for ratings looks like times, and the other way round (line "
            f"{row['line']}: rating {row['rating']}, time {row['time']}). Name both columns in "
            "sources.table.columns."
        )


def _times(good: pl.DataFrame, of: Layout, unit: str | None, path: Path) -> times.Times:
    time = times.of(good, unit or ("order" if of.unit == "order" else None), path)
    fits = time.unit in (of.unit, "order") or (of.unit == "s" and time.unit == "us")
    if of.unit and not unit and not fits:
        raise ValueError(
            f"{path}: recipe {of.recipe} has times in {of.unit}, and these are in {time.unit} "
            f"({time.said}). Take another recipe, or set sources.table.time_unit."
        )
    return time


def _interactions(good: pl.DataFrame, time: np.ndarray) -> Interactions:
    # Encoded first: all names one after the other may be more than a column of texts holds.
    users, items = (good[name].to_arrow().dictionary_encode() for name in ("user", "item"))
    return Interactions(
        users.indices.to_numpy(),
        items.indices.to_numpy(),
        time,
        users.dictionary.cast(pa.string()),
        items.dictionary.cast(pa.string()),
    )


def _sequences(path: Path) -> Table:
    """LC-Rec's `{user: [item, ...]}`; the time of an interaction is its place in the list."""
    schema = {
        "line": pl.UInt32(),
        **dict.fromkeys(("user", "item", "time", "fault", "text"), TEXTS),
    }
    names = object_files.Names(path, "an item")
    places = list(_places(object_files.whole_object(path), names))
    names.check()
    frame = pl.DataFrame(places, schema, orient="row")
    said = {"format": "sequences", "columns": {n: n for n in ("user", "item", "time")}}
    return Table(frame.lazy().with_columns(part=pl.lit(0)), Counter(), said)


def _places(lists: dict[str, Any], names: object_files.Names) -> Iterator[tuple[Any, ...]]:
    line = 0
    for user, items in lists.items():
        if not isinstance(items, list):
            line += 1
            yield line, user, None, None, "no_list_of_items", user
            continue
        for place, item in enumerate(items):
            line += 1
            names.add(item)
            named = type(item) in (str, int)
            fault = None if named else "wrong_type_item"
            yield line, user, str(item), str(place), fault, f"{user}: {item}"
