"""Times as people write them, to integers of one unit that is found by their range."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

# Parts of a second.
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# In any of the units, a time from 1973 to 2128 has so many digits before the point that no other
# unit has. Smaller numbers only order: days, or places in a list.
FIRST, LAST = 10**8, 5 * 10**9
# Of which times with smaller numbers, and those before 1970, are.
_BOUND = {"s": 10**11, "ms": 10**14, "us": 10**17}
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
SHOWN = 3  # rows in a message


class Times(NamedTuple):
    """Times of one unit.

    Attributes:
        value: int64, since 1970 unless the unit is "order".
        unit: s, ms, us, ns, or "order" for numbers that only order.
        said: what they were taken for, for the log and the report.
    """

    value: np.ndarray
    unit: str
    said: dict[str, Any]


def is_time(text: str) -> bool:
    """Whether a text is a number or an ISO date."""
    text = text.strip()
    try:
        return math.isfinite(float(text))
    except ValueError:
        return bool(_DATE.fullmatch(text))


def columns(time: pl.Expr) -> dict[str, pl.Expr]:
    """Texts as integers ("whole"), as numbers ("number") and as microseconds of dates ("date").

    Each is null where a text is none of it.
    """
    iso = time.str.replace(" ", "T", literal=True)
    # A time with a zone counts in that; one without, as UTC.
    in_zone = iso.str.replace("Z$", "+00:00")
    zoned = [in_zone.str.to_datetime(form, time_unit="us", strict=False) for form in _ZONED]
    plain = [iso.str.to_datetime(form, time_unit="us", strict=False) for form in _FORMATS]
    number = time.cast(pl.Float64, strict=False)
    return {
        "whole": time.cast(pl.Int64, strict=False),
        "number": pl.when(number.is_finite()).then(number),
        "date": pl.coalesce(*(one.dt.epoch("us") for one in (*zoned, *plain))),
    }


def of(frame: pl.DataFrame, unit: str | None, path: Path) -> Times:
    """Integers of one unit.

    Args:
        frame: `whole`, `number` and `date` (see `columns`), one of them in every row, and `line`,
            `user`, `item`, `time` to show rows.
        unit: of numbers; None finds it.
        path: of the file, for messages.

    Raises:
        ValueError: there are dates and numbers, or several units; or numbers are of no unit that
            is sure. The message shows rows.
    """
    dates = frame["date"].is_not_null()
    if dates.all():
        value = frame["date"].to_numpy()
        unit = "us" if (value % UNITS["us"]).any() else "s"
        value = value if unit == "us" else value // UNITS["us"]
        return Times(value, unit, _said(value, unit, "dates"))
    if dates.any():
        raise _mixed(frame, {"dates": dates.to_numpy(), "numbers": ~dates.to_numpy()}, path)
    whole = frame["whole"]
    number = frame["number"].to_numpy()
    said, unit = unit, unit or found_unit(number, frame, path)
    if unit in UNITS and number.max() > LAST * UNITS[unit]:
        none = f"are after 2128 in {unit}" if said else f"are no {', '.join(UNITS)} of today"
        raise ValueError(
            f"{path}: times up to {number.max():.0f} {none}.\n"
            f"{_rows(frame, number > LAST * UNITS[unit])}\nWrite all in one unit, and set "
            "sources.table.time_unit; `order` takes them as numbers that only order."
        )
    if whole.null_count() == 0:
        value = whole.to_numpy()
    elif np.abs(number).max() >= 2**63:
        raise ValueError(
            f"{path}: times are not above 2 ** 63, and these are:\n"
            f"{_rows(frame, np.abs(number) >= 2**63)}\nMend them."
        )
    elif (number == np.floor(number)).all():
        value = number.astype(np.int64)
    elif unit == "order":
        raise ValueError(
            f"{path}: times up to {number.max()} are too small for seconds of today, and have "
            "fractions. Write dates as 2020-12-31, seconds, or whole numbers that only order."
        )
    else:  # as parts that a float of today's times still holds
        value = np.rint(number * (UNITS["us"] / UNITS[unit])).astype(np.int64)
        unit = "us"
    return Times(value, unit, _said(value, unit, "numbers"))


def found_unit(number: np.ndarray, frame: pl.DataFrame, path: Path) -> str:
    """The unit of times by their size; "order" where all are too small to be times of today.

    Raises:
        ValueError: several.
    """
    bounds = [-np.inf, *_BOUND.values(), np.inf]
    places = np.digitize(number, bounds[1:-1])
    several = {list(UNITS)[place]: places == place for place in np.unique(places)}
    if len(several) > 1:
        raise _mixed(frame, several, path)
    (unit,) = several
    return "order" if unit == "s" and np.abs(number).max() < FIRST else unit


def parts(value: np.ndarray) -> int:
    """Parts of a second that integer times count, by the size of the largest."""
    return int(1000 ** np.digitize(value.max(), list(_BOUND.values())))


def early(value: np.ndarray) -> np.ndarray:
    """Which integer times are before 1973 and not before 1970; of those that only order, none."""
    bound = FIRST * parts(value)
    found: np.ndarray = (value >= 0) & (value < bound) & (value.max() >= bound)
    return found


def tell_moments(value: np.ndarray) -> bool:
    """Whether integer times do not only order, and are finer than minutes."""
    second = parts(value)
    return bool(value.max() >= FIRST * second and ((value - value[0]) % (60 * second)).any())


def check(value: np.ndarray, path: Path) -> None:
    """Refuse integer times in several units.

    Raises:
        ValueError: their sizes are of several units, or of none that ends after today.
    """
    places = np.digitize(value, list(_BOUND.values()))
    kinds, counts = np.unique(places, return_counts=True)
    found = [list(UNITS)[n] for n in kinds]
    if len(found) > 1:
        rarer = counts.argmin()
        first = value[np.argmax(places == kinds[rarer])]
        several = f"{' and '.join(found)}; {counts[rarer]:,} in {found[rarer]}, first {first}"
    elif value.max() > LAST * UNITS[found[0]]:
        several = f"{value.max()} is after 2128 in {found[0]}"
    else:
        return
    raise ValueError(
        f"{path}: times are in several units ({several}), so their order is wrong. Write all in "
        "seconds."
    )


def since_1970(date: str, unit: str) -> int:
    """An ISO date as a number of a unit.

    Raises:
        ValueError: it is no date, or the unit only orders.
    """
    try:
        when = datetime.fromisoformat(date)
    except ValueError:
        raise ValueError(f"sources.table.until is {date!r}: write it as 2020-12-31.") from None
    if unit not in UNITS:
        raise ValueError("sources.table.until needs times, and these are numbers that only order.")
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int(when.timestamp() * UNITS[unit])


def _said(value: np.ndarray, unit: str, kind: str) -> dict[str, Any]:
    ends = [int(value.min()), int(value.max())]
    if unit in UNITS:
        seconds = [end // UNITS[unit] for end in ends]
        if all(abs(one) < 2**35 for one in seconds):
            shown = [datetime.fromtimestamp(one, UTC).date().isoformat() for one in seconds]
            return {"kind": kind, "unit": unit, "from": shown[0], "to": shown[1]}
    return {"kind": kind, "unit": unit, "from": ends[0], "to": ends[1]}


def _mixed(frame: pl.DataFrame, several: dict[str, np.ndarray], path: Path) -> ValueError:
    parts = [
        f"{rows.sum():,} look like {kind}:\n{_rows(frame, rows, 1)}"
        for kind, rows in several.items()
    ]
    return ValueError(
        f"{path}: times are of several kinds. Of {len(frame):,}, "
        + "\nand ".join(parts)
        + "\nWrite all in one unit, or set sources.table.time_unit if they are in one."
    )


def _rows(frame: pl.DataFrame, which: np.ndarray, most: int = SHOWN) -> str:
    shown = frame.filter(pl.Series(which)).head(most).select("line", "user", "item", "time")
    return "\n".join(
        f"  line {n}: user {user}, item {item}, time {time}" for n, user, item, time in shown.rows()
    )
