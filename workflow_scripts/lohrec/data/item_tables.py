"""Items with what is known of them in words, from a table in any layout."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lohrec.common import job_log
from lohrec.data import object_files, table_files
from lohrec.data.item_texts import ItemText, item_text
from lohrec.data.layout import Layout
from lohrec.data.rejected import Rejected, numbered

SHOWN = 3  # names in a message
WIDTH = 200  # characters kept of a line that cannot be used

# Number, record or the reason why there is none, line, {role: key of the record}.
Row = tuple[int | str, dict[str, Any] | str, Any, Mapping[str, str]]


def read(
    paths: Sequence[Path], of: Layout, wanted: Collection[str], most_rejected: float
) -> tuple[dict[str, ItemText], dict[str, Any]]:
    """Read the texts of the wanted items.

    Args:
        most_rejected: the largest share of lines that may be unusable.

    Returns:
        Cleaned text by item, and what was counted: lines, rejected, duplicates (rows of an item
        that had one before; the first counts), mended, cleaned.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file cannot be read, too many lines are rejected, or none is of these items.
    """
    wanted = frozenset(wanted)
    texts: dict[str, ItemText] = {}
    rejected = Rejected(paths[0] if len(paths) == 1 else paths[0].parent)
    mended: Counter[str] = Counter()
    cleaned: Counter[str] = Counter()
    lines = duplicates = 0
    others: list[str] = []
    for number, record, line, keys in _rows(paths, of, mended):
        if record == "blank":
            continue
        lines += 1
        if isinstance(record, str):
            rejected.add(record, number, line)
            continue
        item = _name(record.get(keys["item"]))
        if item is None:
            rejected.add(f"missing_{keys['item']}", number, line)
        elif item in texts:
            duplicates += 1
        elif item in wanted:
            try:
                roles = {role: record.get(key) for role, key in keys.items()}
                texts[item] = item_text(roles, cleaned)
            except TypeError as error:
                rejected.add(f"wrong_type_{error}", number, line)
        elif len(others) < SHOWN:
            others.append(item)
    rejected.check(lines, most_rejected)
    if said := rejected.summary(lines):
        job_log.warn(said)
    if not texts:
        raise ValueError(
            f"{rejected.path} has none of the {len(wanted):,} items of the interactions in "
            f"{lines:,} lines: they are called {', '.join(sorted(wanted)[:SHOWN])}, and here "
            f"{', '.join(others) or 'nothing'}. Use the items of the same set."
        )
    return texts, {
        "lines": lines,
        "rejected": rejected.counts(),
        "duplicates": duplicates,
        "mended": dict(sorted((+mended).items())),
        "cleaned": dict(sorted((+cleaned).items())),
    }


def _rows(paths: Sequence[Path], of: Layout, mended: Counter[str]) -> Iterator[Row]:
    kind = table_files.kind_of(paths[0], of)
    if kind == "objects":
        keys = {"item": "item", **{role: str(key) for role, key in of.columns.items() if key}}
        records = object_files.whole_object(object_files.only(paths))
        for number, (item, record) in enumerate(records.items(), 1):
            known = isinstance(record, dict)
            yield number, {**record, "item": item} if known else "not_an_object", item, keys
    elif kind in ("json", "python"):
        for part, path in enumerate(paths):
            table_files.check_is_there(path)
            keys = object_files.keys_of(path, of, kind)
            for number, record, line in object_files.records(path, of, kind, keys, mended):
                yield numbered(paths, part, number), record, line[:WIDTH], keys
    else:
        table = table_files.read(paths, of)
        keys = {role: role for role in table.said["columns"]}
        for row in table_files.collected(table.frame, paths[0]).iter_rows(named=True):
            categories = row.get("categories")
            if of.list_separator and isinstance(categories, str):
                row["categories"] = categories.split(of.list_separator)
            place = numbered(paths, row["part"], row["line"])
            yield place, row["fault"] or row, row["text"] or str(row["item"]), keys
        mended.update(table.mended)


def _name(value: Any) -> str | None:
    """The name of an item; None if it is none."""
    if type(value) is int:
        return str(value)
    name = value.replace("\0", "").strip() if isinstance(value, str) else ""
    return name or None
