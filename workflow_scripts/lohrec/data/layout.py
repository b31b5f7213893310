"""How the files of a table are laid out, and which of its columns is which."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lohrec.data import raw_lines, recipes
from lohrec.data.times import is_time

Place = str | int | None  # a column by its name, by its position from 1, or yet to be found

# {what a column may hold: names under which it is found, in small letters and digits alone}
NAMES = {
    "user": {
        "user", "userid", "uid", "username", "reviewer", "reviewerid", "customer", "customerid",
        "buyer", "buyerid", "client", "clientid", "visitor", "visitorid",
    },
    "item": {
        "item", "itemid", "movieid", "bookid", "asin", "parentasin", "product", "productid", "sku",
        "article", "articleid", "trackid",
    },
    "time": {
        "time", "timestamp", "ts", "date", "datetime", "unixreviewtime", "unixtime", "createdat",
        "orderdate", "purchasedat",
    },
    "rating": {"rating", "overall", "score", "stars"},
    "title": {"title", "name", "movietitle", "itemname", "productname", "producttitle"},
    "description": {"description", "desc"},
    "categories": {"categories", "category", "genres", "genre", "class"},
    "brand": {"brand", "store", "manufacturer"},
    "price": {"price"},
}  # fmt: skip
NEEDED = {"interactions": ("user", "item", "time"), "items": ("item",)}
ROLES = {
    "interactions": (*NEEDED["interactions"], "rating"),
    "items": ("item", "title", "description", "categories", "brand", "price"),
}
# The setting of the source `table` that names the columns of a part.
SETTING = {"interactions": "columns", "items": "item_columns"}
SHOWN = 3  # rows in a message
# What no user is called: Amazon's products, and item_3 or the like.
CALLED_ITEM = rf"B0[0-9A-Z]{{8}}|(?i:(?:i|{'|'.join(sorted(NAMES['item']))})[ _:-]?[0-9]+)"

_TYPE = re.compile(":(token|float)(_seq)?$")  # after a name in RecBole's headers


class Layout(NamedTuple):
    """What is known of a part of a table before its files are read.

    Attributes:
        part: "interactions" or "items".
        recipe: its name, if one was given.
        columns: {role: place}.
        format: text, json, python, parquet, sequences or objects; None goes by the file's name.
        separator: between the fields of a text; None is found out.
        quote: what encloses a field of a text that holds a separator.
        encoding: of a text.
        fields: of a line, where the recipe says it.
        unit: of times, where the recipe says it.
        list_separator: between the categories within a field of a text.
        items_look_like: a pattern that items match and users do not.
    """

    part: str
    recipe: str | None
    columns: Mapping[str, Place]
    format: str | None = None
    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    fields: int | None = None
    unit: str | None = None
    list_separator: str | None = None
    items_look_like: str | None = None


class Columns(NamedTuple):
    """Which column is which.

    Attributes:
        places: {role: column from 0}.
        header: whether the first row names the columns.
    """

    places: dict[str, int]
    header: bool


def layout(
    part: str,
    recipe: str | None,
    columns: Mapping[str, Place],
    separator: str | None,
    encoding: str | None,
) -> Layout:
    """What a recipe says of a part, and what a row says over it; None says nothing."""
    known: dict[str, Any] = dict(recipes.RECIPES[recipe][part]) if recipe else {}
    named = dict.fromkeys(ROLES[part]) | known.pop("columns", {})
    named |= {role: place for role, place in columns.items() if place is not None}
    said = {"separator": separator, "encoding": encoding}
    known |= {name: value for name, value in said.items() if value}
    return Layout(part, recipe, named, **known)


def known_as(name: str, role: str) -> bool:
    """Whether a column of this name usually holds what `role` says; see `NAMES`."""
    return _letters(_TYPE.sub("", name.strip())) in NAMES[role]


def find(path: Path, rows: Sequence[Sequence[str]], of: Layout, named: bool = False) -> Columns:
    """Tell which column is which.

    Args:
        path: of the file, for messages.
        rows: its first rows; the first holds the columns' names where `named`.
        of: the layout.
        named: whether the format itself names the columns, so that positions say nothing.

    Raises:
        ValueError: a column that is needed is not there, or may be several; or the file is not laid
            out as the recipe says. The message shows the first rows.
    """
    if not rows:
        raise ValueError(f"{path} is empty. Put a table there.")
    names = [_TYPE.sub("", name.strip()) for name in rows[0]]
    given = {role: place for role, place in of.columns.items() if place is not None}
    by_name = any(isinstance(place, str) for place in given.values())
    positions = {
        role: place - 1 for role, place in given.items() if isinstance(place, int) and not named
    }
    if of.fields and len(names) != of.fields:
        raise _unclear(path, rows, of, {}, f"it has {len(names)} fields a line, not {of.fields}")
    header = named or by_name or not positions or _begins_with_names(rows, positions)
    places = _places(path, rows, of, names, header)
    if header and of.fields:
        raise _unclear(path, rows, of, places, "it has a header, and the recipe has none")
    _check(path, rows, of, places, names if header else [])
    return Columns(places, header)


def _places(
    path: Path, rows: Sequence[Sequence[str]], of: Layout, names: list[str], header: bool
) -> dict[str, int]:
    places: dict[str, int] = {}
    problems: list[str] = []
    for role, place in of.columns.items():
        if isinstance(place, int):
            if 1 <= place <= len(names):
                places[role] = place - 1
            else:
                problems.append(f"there is no column {place} for the {role}")
            continue
        found = []
        if place is not None:
            found = [n for n, name in enumerate(names) if place == name]
        elif header:
            found = [n for n, name in enumerate(names) if known_as(name, role)]
        if len(found) > 1:
            several = ", ".join(names[n] for n in found)
            problems.append(f"the {role} may be any of {several}")
        elif found:
            places[role] = found[0]
        elif role in NEEDED[of.part] or (place is not None and not of.recipe):
            missing = f"there is no column {place!r}" if place else "no column is known by its name"
            problems.append(f"{missing} for the {role}")
    if problems:
        raise _unclear(path, rows, of, places, problems[0])
    return places


def _check(
    path: Path,
    rows: Sequence[Sequence[str]],
    of: Layout,
    places: dict[str, int],
    names: list[str],
) -> None:
    """Refuse columns that are two things at once, or look as if they were exchanged."""
    for one, role in enumerate(places):
        for other in list(places)[:one]:
            if places[role] == places[other]:
                raise _unclear(path, rows, of, places, f"one column is {other} and {role}")
    for role, other in (("user", "item"), ("item", "user")) if names else ():
        if role in places and _letters(names[places[role]]) in NAMES[other]:
            name = names[places[role]]
            raise _unclear(path, rows, of, places, f"the {role} is {name!r}, an {other} by name")
    user, item = places.get("user"), places.get("item")
    if of.items_look_like and user is not None and item is not None:
        wide = [row for row in rows if max(user, item) < len(row)]  # others are counted later
        if exchanged([row[user] for row in wide], [row[item] for row in wide], of.items_look_like):
            raise _unclear(path, rows, of, places, "users and items seem to be exchanged")


def exchanged(users: Sequence[str], items: Sequence[str], items_look_like: str) -> bool:
    """Whether users look as items do, and items do not."""
    pattern = re.compile(items_look_like)
    like = [sum(bool(pattern.fullmatch(name)) for name in names) for names in (users, items)]
    return like[0] > 0.9 * len(users) and like[1] < 0.1 * len(items)


def _begins_with_names(rows: Sequence[Sequence[str]], positions: Mapping[str, int]) -> bool:
    """Whether a file whose columns are known by position has a header all the same."""
    if (time := positions.get("time")) is not None:
        cells = [row[time] for row in rows[:2] if time < len(row)]
        return len(cells) == 2 and not is_time(cells[0]) and is_time(cells[1])
    cells = [rows[0][n] for n in positions.values() if n < len(rows[0])]
    return any(_letters(cell) in NAMES["item"] for cell in cells)


def _unclear(
    path: Path, rows: Sequence[Sequence[str]], of: Layout, places: Mapping[str, int], problem: str
) -> ValueError:
    """What was seen, what it was taken for, and how to say it."""
    shown = [
        f"  {number}: {raw_lines.printable(' | '.join(row))[:200]}"
        for number, row in enumerate(rows[:SHOWN], 1)
    ]
    taken = [f"{role} = column {n + 1}" for role, n in places.items()]
    taken += [f"{role} = ?" for role in NEEDED[of.part] if role not in places]
    said = f" as recipe {of.recipe} says" if of.recipe else ""
    binary = path.name.endswith(".parquet")
    alike = None if binary else recipes.resembling(raw_lines.first_lines(path, of.encoding), False)
    return ValueError(
        f"{path} cannot be read{said}: {problem}. Its first rows, fields between bars:\n"
        + "\n".join(shown)
        + f"\nTaken for: {', '.join(taken)}. "
        + (f"It looks like {alike}, or name" if alike else "Name")
        + f" the columns in sources.table.{SETTING[of.part]}, by header or by position from 1, as "
        f"in {{{', '.join(f'{role}: {role.upper()}' for role in NEEDED[of.part])}}}."
    )


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
